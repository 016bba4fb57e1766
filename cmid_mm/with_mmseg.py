"""Everything that needs mmsegmentation; configs of segmentation and change detection import it."""

from cmid_mm.datasets import change, segmentation  # noqa: F401
from cmid_mm.datasets.transforms import label_maps, pairs  # noqa: F401
from cmid_mm.evaluation import change_metric  # noqa: F401
from cmid_mm.models import change_detectors  # noqa: F401
