"""Everything that needs mmsegmentation; configs of segmentation and change detection import it."""

from cmid_mm.datasets.transforms import label_maps  # noqa: F401
