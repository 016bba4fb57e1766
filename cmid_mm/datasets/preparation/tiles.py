"""Windows of one size that cover a picture without padding."""

import numpy as np

from .errors import PreparationError


def windows(height: int, width: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Left upper corners of windows that cover every pixel.

    Corners are ``stride`` apart; the last of a row or a column is moved inside, so that no window needs padding.

    Args:
        height: Of the picture, pixels; at least ``size``.
        width: Of the picture, pixels; at least ``size``.
        size: Side of a window, pixels.
        stride: From one window to the next, pixels, at most ``size``.

    Returns:
        list[tuple[int, int]]: ``(x0, y0)``, row by row.
    """
    return [(x, y) for y in _starts(height, size, stride) for x in _starts(width, size, stride)]


def check_tiling(size: int, stride: int) -> None:
    """Refuse a size or a stride that would lose pixels."""
    if size < 1 or not 1 <= stride <= size:
        raise PreparationError(
            f'--stride {stride} with --size {size} would leave pixels out; give a stride from 1 to the size'
        )


def tile_name(name: str, x: int, y: int, size: int) -> str:
    """``name_x0_y0_x1_y1``, as mmsegmentation's converters call a tile."""
    return f'{name}_{x}_{y}_{x + size}_{y + size}'


def cut(pixels: np.ndarray, x: int, y: int, size: int) -> np.ndarray:
    """Pixels of one window, a view."""
    return pixels[y : y + size, x : x + size]


def _starts(length: int, size: int, stride: int) -> list[int]:
    starts = list(range(0, length - size + 1, stride))
    if starts[-1] + size < length:
        starts.append(length - size)
    return starts
