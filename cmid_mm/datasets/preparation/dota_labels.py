"""Label files of DOTA-v1.0: checked line by line, and written in the exact form that the splitting reads."""

from collections.abc import Sequence

from cmid_mm.datasets.dota_lines import HEADERS, LINE, parse_line

from .errors import PreparationError
from .sources import SourceFile

CLASSES = (
    'plane',
    'baseball-diamond',
    'bridge',
    'ground-track-field',
    'small-vehicle',
    'large-vehicle',
    'ship',
    'tennis-court',
    'basketball-court',
    'storage-tank',
    'soccer-ball-field',
    'roundabout',
    'harbor',
    'swimming-pool',
    'helicopter',
)


def check_label(file: SourceFile, width: int, height: int) -> tuple[str, int]:
    """Read a label file, ``x1 y1 x2 y2 x3 y3 x4 y4 class difficult`` a line after an optional header.

    Args:
        file: The label file.
        width: Of its image, pixels.
        height: Of its image, pixels.

    Returns:
        tuple: Its lines with one blank between words, and how many boxes they are.

    Raises:
        PreparationError: If a line is malformed or its class is none of DOTA-v1.0, or all boxes lie outside the image.
    """
    try:
        text = file.read().decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise PreparationError(f'{file} is no text in UTF-8 ({error.reason}); unpack or download it again') from error
    lines, boxes = [], []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if not line.startswith(HEADERS):
            boxes.append(_corners(words, f'{file}:{number}'))
        lines.append(' '.join(words))
    if boxes and not any(_meets(box, width, height) for box in boxes):
        raise PreparationError(
            f'{file}: all {len(boxes)} boxes lie outside its image of {width} x {height} pixels; get image and label '
            'of the same release'
        )
    return ''.join(f'{line}\n' for line in lines), len(boxes)


def _corners(words: Sequence[str], where: str) -> tuple[float, ...]:
    try:
        corners, label, _ = parse_line(' '.join(words))
    except ValueError:
        raise PreparationError(f"{where}: '{' '.join(words)}' is not of the form '{LINE}'; correct it") from None
    if label not in CLASSES:
        raise PreparationError(f"{where}: '{label}' is no class of DOTA-v1.0; give the labels of version 1.0")
    return corners


def _meets(corners: Sequence[float], width: int, height: int) -> bool:
    """Whether the upright rectangle around a box shares area with the image."""
    x, y = corners[0::2], corners[1::2]
    return min(x) < width and max(x) > 0 and min(y) < height and max(y) > 0
