"""Pictures of predictions: maps of classes and oriented boxes over images, and legends."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

_UNNAMED = (128, 128, 128)
_ROW = 1.6  # height of a row of the legend, in letters
_FRACTION = 4  # bits behind the point of coordinates that OpenCV draws at


def shrink(pixels: np.ndarray, side: int, labels: bool = False) -> np.ndarray:
    """Reduce pixels (H, W) or (H, W, 3) so that neither side is over ``side``; labels are not averaged."""
    height, width = pixels.shape[:2]
    pixels = np.ascontiguousarray(pixels)
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST if labels else cv2.INTER_AREA)


def overlay(
    image: np.ndarray, classes: np.ndarray, palette: Sequence[tuple[int, int, int]], hidden: int | None = None
) -> np.ndarray:
    """Lay the colours of classes half over an image.

    Args:
        image (np.ndarray): (H, W, 3) uint8, BGR.
        classes (np.ndarray): (H, W) uint8.
        palette (Sequence[tuple[int, int, int]]): RGB of each class; classes beyond it are grey.
        hidden (int, optional): Class under which the image stays as it is. Defaults to None.

    Returns:
        np.ndarray: (H, W, 3) uint8, BGR.
    """
    table = np.full((256, 3), _UNNAMED, np.uint8)
    table[: len(palette)] = np.asarray(palette, np.uint8)[:256, ::-1]
    mixed = cv2.addWeighted(image, 0.5, table[classes], 0.5, 0)
    if hidden is not None:
        mixed[classes == hidden] = image[classes == hidden]
    return mixed


def draw_boxes(image: np.ndarray, corners: np.ndarray, colours: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """Draw oriented boxes on a copy of an image.

    mmrotate's visualizer would shrink the image where a box crosses its border, and take 2 GB for one of 4096 pixels.

    Args:
        image (np.ndarray): (H, W, 3) uint8, BGR.
        corners (np.ndarray): (N, 4, 2) of x and y.
        colours (Sequence[tuple[int, int, int]]): RGB of each box.

    Returns:
        np.ndarray: (H, W, 3) uint8, BGR.
    """
    drawn = image.copy()
    width = max(1, round(max(image.shape[:2]) / 800))
    for box, (red, green, blue) in zip(corners, colours, strict=True):
        points = np.round(box * 2**_FRACTION).astype(np.int32)
        cv2.polylines(drawn, [points], True, (int(blue), int(green), int(red)), width, cv2.LINE_AA, _FRACTION)
    return drawn


def shares(
    classes: np.ndarray, names: Sequence[str], palette: Sequence[tuple[int, int, int]]
) -> list[tuple[tuple[int, int, int], str]]:
    """Give colour and text, for a legend, of each class that occurs in a map, with its share of the pixels.

    Args:
        classes (np.ndarray): (H, W) uint8.
        names (Sequence[str]): Names of the classes.
        palette (Sequence[tuple[int, int, int]]): Their RGB colours.
    """
    counts = cv2.calcHist([classes], [0], None, [256], [0, 256]).ravel()
    return [
        (palette[i] if i < len(palette) else _UNNAMED, f'{names[i] if i < len(names) else f"class {i}"} {share:.1%}')
        for i, share in enumerate((counts / classes.size).tolist())
        if share
    ]


def with_legend(picture: np.ndarray, entries: Sequence[tuple[tuple[int, int, int], str]]) -> np.ndarray:
    """Put a legend below a picture.

    Args:
        picture (np.ndarray): (h, w, 3) uint8, BGR.
        entries (Sequence[tuple]): RGB colour and text of each.

    Returns:
        np.ndarray: (h + legend, max(w, legend), 3) uint8, BGR; the picture itself where there is no entry.
    """
    if not entries:
        return picture
    letter = min(max(12, max(picture.shape[:2]) // 50), 64)
    font = ImageFont.load_default(letter)
    row, swatch = round(letter * _ROW), round(letter * 1.8)
    column = max(round(swatch + letter * 1.5 + font.getlength(text)) for _, text in entries)
    columns = max(1, picture.shape[1] // column)
    rows = -(-len(entries) // columns)
    width = max(picture.shape[1], column)
    legend = Image.new('RGB', (width, rows * row + letter), 'white')
    draw = ImageDraw.Draw(legend)
    for number, (colour, text) in enumerate(entries):
        x, y = number % columns * column + letter // 2, number // columns * row + letter // 2
        draw.rectangle((x, y, x + swatch, y + letter), fill=tuple(int(v) for v in colour), outline='black')
        draw.text((x + swatch + letter // 2, y), text, fill='black', font=font)
    picture = cv2.copyMakeBorder(picture, 0, 0, 0, width - picture.shape[1], cv2.BORDER_CONSTANT, value=(255, 255, 255))
    return cv2.vconcat([picture, np.array(legend)[..., ::-1]])
