"""One line of DOTA's label files; needs no library of detection."""

import math

LINE = 'x1 y1 x2 y2 x3 y3 x4 y4 class difficult'
HEADERS = ('imagesource:', 'gsd:')


def parse_line(line: str) -> tuple[tuple[float, ...], str, int]:
    """Read a box.

    Args:
        line (str): Of the form :data:`LINE`, no header and not empty.

    Returns:
        tuple: Corners ``(x1, y1, ..., x4, y4)`` in pixels, class and difficulty.

    Raises:
        ValueError: If the line is of another form, or a corner is not finite; the caller knows the place to name.
    """
    *words, label, difficulty = line.split()
    corners = tuple(map(float, words))
    if len(corners) != 8 or not all(map(math.isfinite, corners)):
        raise ValueError
    return corners, label, int(difficulty)
