"""Colour labels of the ISPRS benchmark -> classes."""

import numpy as np

from .errors import PreparationError

# RGB of the classes 0 to 6 in mmsegmentation's coding, 0 being ignored: the black of the eroded boundaries, impervious
# surface, building, low vegetation, tree, car, clutter.
COLOURS = (
    (0, 0, 0),
    (255, 255, 255),
    (0, 0, 255),
    (0, 255, 255),
    (0, 255, 0),
    (255, 255, 0),
    (255, 0, 0),
)
_SHOWN = 3


def encode_colours(rgb: np.ndarray) -> tuple[np.ndarray, int]:
    """Classes of a colour label.

    Args:
        rgb: Label (H, W, 3), uint8.

    Returns:
        tuple: Mask (H, W) uint8 of :data:`COLOURS`' numbers, and how many pixels have another colour; those are 0.
    """
    classes, known = _look_up(rgb)
    return classes, int(known.size - known.sum())


def _look_up(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class of each pixel, 0 where its colour is unknown, and whether it is known; both (H, W)."""
    # Every colour has 0 or 255 in each channel: three bits tell which it is.
    table = np.zeros(8, np.uint8)
    used = np.zeros(8, bool)
    for number, colour in enumerate(COLOURS):
        bits = sum(1 << channel for channel in range(3) if colour[channel])
        table[bits], used[bits] = number, True
    code = np.zeros(rgb.shape[:2], np.uint8)
    pure = np.ones(rgb.shape[:2], bool)
    for channel in range(3):
        full = rgb[..., channel] == 255
        code |= full.astype(np.uint8) << channel
        pure &= full | (rgb[..., channel] == 0)
    known = pure & used[code]
    return np.where(known, table[code], 0).astype(np.uint8), known


def refuse_unknown(rgb: np.ndarray, name: str, what_to_do: str) -> None:
    """Raise an error that names the colours that are no class, the most frequent first.

    Args:
        rgb: Label (H, W, 3), uint8.
        name: Its file.
        what_to_do: End of the sentence.

    Raises:
        PreparationError: If there are any.
    """
    _, known = _look_up(rgb)
    colours, counts = np.unique(rgb[~known], axis=0, return_counts=True)
    unknown = [(int(count), tuple(map(int, colour))) for colour, count in zip(colours, counts, strict=True)]
    if not unknown:
        return
    unknown.sort(reverse=True)
    listed = ', '.join(f'{count:,} pixels of the colour {colour}' for count, colour in unknown[:_SHOWN])
    more = f' and {len(unknown) - _SHOWN} more colours' if len(unknown) > _SHOWN else ''
    raise PreparationError(f'{name} has {listed}{more}, which stand for no class; {what_to_do}')
