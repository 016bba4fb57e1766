"""The smallest crop that a random resized crop can draw: what decides how far an image may be reduced."""

import math

MAX_RATIO = 4 / 3


def smallest_side(height: int, width: int, min_area: float, max_ratio: float = MAX_RATIO) -> float:
    """Smallest side of a crop, in pixels.

    Args:
        height (int): Of the image, pixels.
        width (int): Of the image, pixels.
        min_area (float): Smallest share of the image's area that a crop takes.
        max_ratio (float): Largest ratio of a crop's sides, at least 1. Defaults to 4 / 3.
    """
    return min(math.sqrt(min_area * height * width / max_ratio), height, width)
