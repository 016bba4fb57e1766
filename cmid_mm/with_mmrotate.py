"""Everything that needs mmrotate; configs of oriented detection import it."""

from cmid_mm.datasets import oriented_boxes  # noqa: F401
from cmid_mm.evaluation import dota_submission  # noqa: F401
from cmid_mm.models.detectors import precision  # noqa: F401
