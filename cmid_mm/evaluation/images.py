"""Reading images for evaluation: the whole image, small, as the training loader decodes it."""

from pathlib import Path

import cv2
import mmcv
import numpy as np


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file as uint8 RGB ``(H, W, 3)``."""
    return mmcv.imread(str(path), channel_order='rgb')


def squeeze(image: np.ndarray, size: int) -> np.ndarray:
    """Resize uint8 ``(H, W, 3)`` to ``(size, size, 3)``, averaging areas where pixels are lost."""
    if image.shape[:2] == (size, size):
        return image
    shrinks = size < min(image.shape[:2])
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=interpolation)
