"""Change between two dates."""

from typing import Any, ClassVar

import cv2
import numpy as np

from .inputs import Scene, Source, find_pairs
from .pictures import overlay, shares, shrink, with_legend
from .segmentation import SegmentationInferencer, SegmentationPrediction

VIVID = (255, 40, 40)  # RGB of change where the palette has a grey


class ChangeInferencer(SegmentationInferencer):
    """Finds what changed from one date to the next; ``inputs`` are pairs.

    ``inferencer((before, after))`` takes two images, two arrays or two lists of these, which are paired by position, or
    two folders, which are paired by names. Both images of a pair have one size. Windows, blending, ``predictions``
    and arguments are those of :class:`~cmid_mm.apis.segmentation.SegmentationInferencer`; a picture shows the first
    date, the second, and the change on the second.

    Example:
        >>> inferencer = ChangeInferencer('bit_r50_cdd.py', 'epoch_200.pth')
        >>> predictions = inferencer(('cdd/test/A', 'cdd/test/B'), out_dir='out')
    """

    task: ClassVar[str] = 'change'
    picture_side: ClassVar[int] = 2048

    def find(self, inputs: Any) -> list[Source]:
        """List the pairs."""
        return find_pairs(inputs)

    def draw(self, scene: Scene, prediction: SegmentationPrediction) -> np.ndarray:
        """Draw both dates and the change, side by side."""
        first, second = (shrink(date, self.picture_side) for date in scene.dates)
        classes = shrink(prediction.classes, self.picture_side, labels=True)
        # Masks of change are black and white by custom, and white is hard to see on roofs.
        palette = [
            VIVID if number and min(colour) == max(colour) else colour for number, colour in enumerate(self.palette)
        ]
        changed = overlay(second, classes, palette, hidden=0)
        gap = np.full((len(first), max(2, first.shape[1] // 100), 3), 255, np.uint8)
        picture = cv2.hconcat([first, gap, second, gap, changed])
        return with_legend(picture, shares(prediction.classes, self.classes, palette))
