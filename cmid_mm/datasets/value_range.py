"""Samples of any type -> 8 bits."""

import numpy as np

_LEVELS = 256
_SAMPLES = 1_000_000
_ROWS = 256


def to_uint8(pixels: np.ndarray, value_range: tuple[float, float] | None, nodata: float | None = None) -> np.ndarray:
    """Map pixels linearly to 0-255.

    8-bit pixels stay as they are and one-bit pixels become 0 and 255. For all others ``low``
    becomes 0 and ``high`` 255, values beyond are clipped and fractions round down. Pixels
    equal to ``nodata``, not finite, or (in a band without any spread) at ``low`` become 0.

    Args:
        pixels (np.ndarray): (H, W, 3) of an integer, floating or bool type.
        value_range (tuple[float, float], optional): ``(low, high)`` of all bands; None takes the
            2nd and 98th percentile of each band of this image, over a regular grid of at most
            about a million pixels, without ``nodata``.
        nodata (float, optional): Value that marks missing pixels.

    Returns:
        np.ndarray: (H, W, 3) uint8.

    Raises:
        ValueError: If the type is another one, such as complex numbers.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.bool_:
        return pixels.view(np.uint8) * np.uint8(255)
    if pixels.dtype.kind not in 'iuf':
        raise ValueError(f'pixels of type {pixels.dtype} cannot be shown as colours')
    out = np.empty(pixels.shape, np.uint8)
    for band in range(pixels.shape[2]):
        values = pixels[..., band]
        low, high = value_range or _percentiles(values, nodata)
        out[..., band] = _stretch(values, low, high)
        if nodata is not None:
            out[..., band][values == nodata] = 0
    return out


def _percentiles(values: np.ndarray, nodata: float | None) -> tuple[float, float]:
    step = max(1, round((values.size / _SAMPLES) ** 0.5))
    sample = values[::step, ::step].ravel()
    valid = np.isfinite(sample)
    if nodata is not None:
        valid &= sample != nodata
    sample = sample[valid]
    if not sample.size:
        return 0.0, 0.0
    low, high = np.percentile(sample.astype(np.float64), (2, 98))
    return float(low), float(high)


def _stretch(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if values.dtype.kind in 'iu' and values.dtype.itemsize <= 2:
        # One table of all values instead of a float image of up to 900 million pixels.
        unsigned = values.view(f'u{values.dtype.itemsize}')
        every = np.arange(256**values.dtype.itemsize).astype(unsigned.dtype).view(values.dtype)
        return _scale(every, low, high)[unsigned]
    out = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _ROWS):  # float64 copies of some rows, not of the image
        out[top : top + _ROWS] = _scale(values[top : top + _ROWS], low, high)
    return out


def _scale(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if high <= low:
        return np.where(values > high, np.uint8(_LEVELS - 1), np.uint8(0))
    scaled = (np.nan_to_num(values.astype(np.float64), posinf=low, neginf=low, nan=low) - low) * (
        _LEVELS / (high - low)
    )
    return np.clip(scaled, 0, _LEVELS - 1).astype(np.uint8)
