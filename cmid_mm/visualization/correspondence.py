"""Which cells of two views, or of two dates, the features call the same place."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from cmid_mm.apis.trained import distinct_colours
from cmid_mm.datasets import seeded
from cmid_mm.datasets.transforms import (
    Crop,
    LoadAerialImage,
    RandomFlipWithPositions,
    RandomResizedCropWithPositions,
    cell_positions,
)

from .neighbours import RIGHT, WRONG
from .views import crop_of_positions

MOST_LINES = 80


class Matches(NamedTuple):
    """Pairs of cells.

    Attributes:
        first (np.ndarray): Row and column of the cell of the first image ``(M, 2)``.
        second (np.ndarray): Of the second ``(M, 2)``.
        similarity (np.ndarray): Cosine of their features ``(M,)``.
    """

    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray


def mutual_matches(first: np.ndarray, second: np.ndarray) -> Matches:
    """Pair the cells of two maps that are each other's nearest neighbours by the cosine of their features.

    Args:
        first (np.ndarray): ``(C, h, w)``.
        second (np.ndarray): ``(C, h', w')``.

    Returns:
        Matches: In the order of the cells of ``first``; of equally similar cells the first counts.
    """
    cosines = _unit_cells(first) @ _unit_cells(second).T
    forth, back = cosines.argmax(axis=1), cosines.argmax(axis=0)
    own = np.flatnonzero(back[forth] == np.arange(len(forth)))
    places = [
        np.stack(np.unravel_index(cells, maps.shape[1:]), axis=1)
        for cells, maps in ((own, first), (forth[own], second))
    ]
    return Matches(*places, cosines[own, forth[own]])


def dissimilarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compare the features of each cell at two dates.

    Args:
        first (np.ndarray): ``(C, h, w)``.
        second (np.ndarray): ``(C, h, w)``.

    Returns:
        np.ndarray: 1 - cosine ``(h, w)``, from 0 (the same direction) to 2.
    """
    return 1 - (_unit_cells(first) * _unit_cells(second)).sum(axis=1).reshape(first.shape[1:])


def _unit_cells(maps: np.ndarray) -> np.ndarray:
    cells = maps.reshape(len(maps), -1).T
    return cells / np.maximum(np.linalg.norm(cells, axis=1, keepdims=True), 1e-12)


def two_views(path: str, size: int, seed: int = 0) -> tuple[np.ndarray, tuple[Crop, Crop]]:
    """Cut two views from an image as pretraining does, without noise.

    Args:
        path (str): The image.
        size (int): Side of the views in pixels, a multiple of 32.
        seed (int): Draws the crops and flips.

    Returns:
        tuple[np.ndarray, tuple[Crop, Crop]]: ``(2, size, size, 3)`` uint8, and where they were cut, in pixels of the
        image.
    """
    loaded = LoadAerialImage(crop_size=size).transform(dict(img_path=path))
    cut, flip = RandomResizedCropWithPositions(size), RandomFlipWithPositions()
    with seeded(seed):
        views = [flip(cut(dict(loaded))) for _ in range(2)]
    crops = tuple(crop_of_positions(view['cell_positions'], loaded['ori_shape']) for view in views)
    return np.stack([view['img'] for view in views]), crops


def ground_distance(matches: Matches, crops: tuple[Crop, Crop], num_cells: int) -> tuple[np.ndarray, float]:
    """How far apart on the ground the cells of each pair lie.

    Args:
        matches (Matches): Pairs of cells of two views of ``num_cells`` x ``num_cells`` cells.
        crops (tuple[Crop, Crop]): Where the views were cut from one image, or from registered ones.
        num_cells (int): Cells a side.

    Returns:
        tuple[np.ndarray, float]: Distance of their centres in pixels of the image ``(M,)``, and the longest side of a
        cell in either view, for comparison.
    """
    ends = [
        cell_positions(crop, (0, 0), num_cells)[tuple(cells.T)]
        for crop, cells in zip(crops, (matches.first, matches.second), strict=True)
    ]
    side = max(max(crop.height, crop.width) for crop in crops) / num_cells
    return np.linalg.norm(ends[0] - ends[1], axis=1), side


def draw_correspondence(
    images: np.ndarray,
    matches: Matches,
    distance: np.ndarray,
    cell_side: float,
    num_cells: int,
    out: str | Path,
    names: tuple[str, str],
    change: np.ndarray | None = None,
) -> None:
    """Draw two images beside each other and a line between the cells of each pair.

    Both dots of a pair have one colour. A green line: the cells lie within one cell of each other on the ground; a red
    one: farther apart. Of more pairs the most similar 80 are drawn; the title counts all.

    Args:
        images (np.ndarray): ``(2, S, S, 3)`` uint8.
        matches (Matches): Pairs of their cells.
        distance (np.ndarray): Of each pair on the ground ``(M,)``, in pixels.
        cell_side (float): Side of a cell on the ground, in pixels.
        num_cells (int): Cells a side.
        out (str | Path): Picture to write.
        names (tuple[str, str]): Titles of the images.
        change (np.ndarray, optional): What :func:`dissimilarity` returns, drawn beside the dates. Defaults to None.
    """
    figure = Figure(figsize=(3.6 * (2 if change is None else 3), 4.2), layout='constrained')
    panels = figure.subplots(1, 2 if change is None else 3)
    for panel, image, name in zip(panels, images, names, strict=False):
        panel.imshow(image)
        panel.set_title(name, fontsize=9)
    side = images.shape[1] / num_cells
    shown = np.argsort(-matches.similarity, kind='stable')[:MOST_LINES]
    hues = distinct_colours(len(shown))
    for number, pair in enumerate(shown):
        cells = matches.first[pair], matches.second[pair]
        ends = [((column + 0.5) * side - 0.5, (row + 0.5) * side - 0.5) for row, column in cells]
        line = ConnectionPatch(
            *ends,
            coordsA=panels[0].transData,
            coordsB=panels[1].transData,
            color=RIGHT if distance[pair] <= cell_side else WRONG,
            linewidth=1.1,
            alpha=0.85,
            # Bent, each differently: pairs of one row would lie on one line.
            connectionstyle=f'arc3,rad={0.03 * (number % 7 - 3)}',
        )
        figure.add_artist(line)
        for panel, end in zip(panels, ends, strict=False):
            hue = np.array(hues[number]) / 255
            panel.plot(*end, 'o', color=hue, markersize=6, markeredgecolor='white', markeredgewidth=0.8)
    if change is not None:
        map_shown = panels[2].imshow(change, cmap='magma', vmin=0, vmax=max(1.0, float(change.max())))
        panels[2].set_title('1 - cosine of each cell', fontsize=9)
        bar = figure.colorbar(map_shown, ax=panels[2], location='bottom', pad=0.02, aspect=30)
        bar.ax.tick_params(labelsize=7)
    for panel in panels:
        panel.set(xticks=[], yticks=[])
    near = int((distance <= cell_side).sum())
    figure.suptitle(
        f'{len(distance)} of {num_cells**2} cells are mutual nearest neighbours; {near} of them lie within one cell '
        f'({cell_side:.0f} px) of each other',
        fontsize=9,
    )
    figure.savefig(out, dpi=110)
