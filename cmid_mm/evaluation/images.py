"""Reading images for evaluation: the whole image, small, as the training loader decodes it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from cmid_mm.datasets.transforms.loading import LoadAerialImage, UnreadableImageError


def read_image(path: str | Path, size: int) -> np.ndarray:
    """Read an image file and squeeze it to a square, whatever its aspect.

    Args:
        path (str | Path): JPEG, PNG or TIFF.
        size (int): Side in pixels; larger files are decoded at reduced scale where the format allows.

    Returns:
        np.ndarray: ``(size, size, 3)`` uint8 RGB.

    Raises:
        UnreadableImageError: The file is damaged or no image.
    """
    loader = LoadAerialImage(crop_size=size, min_area=1, max_ratio=1)
    return squeeze(loader.transform({'img_path': str(path)})['img'], size)


def squeeze(image: np.ndarray, size: int) -> np.ndarray:
    """Resize uint8 ``(H, W, 3)`` to ``(size, size, 3)``, averaging areas where pixels are lost."""
    if image.shape[:2] == (size, size):
        return image
    shrinks = size <= min(image.shape[:2])
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=interpolation)


def read_images(
    paths: Sequence[str | Path], size: int, progress: Callable[[int], None] | None = None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Read many images and go on where one cannot be read.

    Args:
        paths (Sequence[str | Path]): JPEG, PNG or TIFF files.
        size (int): Side in pixels.
        progress (Callable[[int], None], optional): Called with 1 after each file.

    Returns:
        tuple: Images ``(m, size, size, 3)`` uint8 RGB, their places in ``paths`` ``(m,)``, and one sentence for each of
        the other files.
    """
    images, kept, problems = [], [], []
    for place, path in enumerate(paths):
        try:
            images.append(read_image(path, size))
            kept.append(place)
        except UnreadableImageError as error:
            problems.append(str(error))
        if progress is not None:
            progress(1)
    stacked = np.stack(images) if images else np.empty((0, size, size, 3), np.uint8)
    return stacked, np.array(kept, dtype=np.int64), problems
