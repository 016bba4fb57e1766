"""The baseline without a network: which colours an image has, and nothing about where."""

from collections.abc import Iterable

import numpy as np


def colour_histograms(images: Iterable[np.ndarray], bins: int = 8) -> np.ndarray:
    """Joint RGB histogram of each image, as the square root of shares.

    The square root makes the cosine of two rows the Bhattacharyya coefficient of the histograms,
    which keeps one large colour from outvoting all others: a stronger baseline than raw counts.

    Args:
        images (Iterable[np.ndarray]): uint8 ``(H, W, 3)``, any sizes.
        bins (int): Bins a channel; a divisor of 256. Defaults to 8, so 512 values an image.

    Returns:
        np.ndarray: ``(n, bins ** 3)`` float32; each row has length 1.

    Raises:
        ValueError: ``bins`` does not divide 256, or an image is not uint8 RGB.
    """
    if bins < 1 or 256 % bins:
        raise ValueError(f'bins={bins} does not divide 256; choose 2, 4, 8, 16 or 32.')
    return np.stack([_histogram(image, bins) for image in images])


def _histogram(image: np.ndarray, bins: int) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f'A colour histogram needs uint8 images (H, W, 3), not {image.dtype} {image.shape}.')
    binned = image.reshape(-1, 3).astype(np.int64) // (256 // bins)
    index = np.ravel_multi_index(tuple(binned.T), (bins, bins, bins))
    counts = np.bincount(index, minlength=bins**3)
    return np.sqrt(counts / counts.sum(), dtype=np.float64).astype(np.float32)
