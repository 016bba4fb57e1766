"""Images and those that the features call most similar, as a whole or by one cell."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.neighbors import NearestNeighbors

from .panels import plain_text

RIGHT, WRONG = '#1a7f37', '#cf222e'


def nearest(features: np.ndarray, queries: Sequence[int], count: int = 6) -> np.ndarray:
    """Find the images whose features make the smallest angle with those of each query.

    Args:
        features (np.ndarray): ``(n, C)``.
        queries (Sequence[int]): Rows to search for; a query is not its own neighbour.
        count (int): Neighbours a query, most similar first.

    Returns:
        np.ndarray: Rows ``(len(queries), count)``.

    Raises:
        ValueError: Fewer than ``count`` other images.
    """
    if count >= len(features):
        raise ValueError(f'{len(features)} images give no {count} neighbours; use more images or a smaller count.')
    search = NearestNeighbors(n_neighbors=count + 1, metric='cosine', algorithm='brute').fit(features)
    rows = search.kneighbors(features[np.asarray(queries)], return_distance=False)
    # Where equal features push the query itself out of its row, the last neighbour makes room.
    return np.stack([row[row != query][:count] for row, query in zip(rows, queries, strict=True)])


def cell_similarity(maps: np.ndarray, query: int, cell: tuple[int, int]) -> np.ndarray:
    """Compare one cell with every cell of every image.

    Args:
        maps (np.ndarray): Last maps ``(n, C, h, w)``.
        query (int): The image that the cell belongs to.
        cell (tuple[int, int]): Its row and column, from 0.

    Returns:
        np.ndarray: Cosines ``(n, h, w)``.

    Raises:
        ValueError: If the maps have no such cell.
    """
    rows, columns = maps.shape[2:]
    if not (0 <= cell[0] < rows and 0 <= cell[1] < columns):
        raise ValueError(
            f'cell {cell[0]} {cell[1]} lies outside maps of {rows} x {columns} cells; give row and column from 0, or a '
            'larger image size'
        )
    unit = maps / np.maximum(np.linalg.norm(maps, axis=1, keepdims=True), 1e-12)
    return np.einsum('nchw,c->nhw', unit, unit[query, :, cell[0], cell[1]])


def nearest_by_cell(similarity: np.ndarray, query: int, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Find the images that hold the cells most similar to one of the query, one cell an image.

    Args:
        similarity (np.ndarray): What :func:`cell_similarity` returns.
        query (int): Its image, which is not its own neighbour.
        count (int): Images, most similar first.

    Returns:
        tuple[np.ndarray, np.ndarray]: Images ``(count,)``, and (row, column) of the best cell of each ``(count, 2)``.

    Raises:
        ValueError: Fewer than ``count`` other images.
    """
    if count >= len(similarity):
        raise ValueError(f'{len(similarity)} images give no {count} neighbours; use more images or a smaller count.')
    flat = similarity.reshape(len(similarity), -1)
    order = np.argsort(-flat.max(axis=1), kind='stable')
    found = order[order != query][:count]
    return found, np.stack(np.unravel_index(flat[found].argmax(axis=1), similarity.shape[1:]), axis=1)


def spread_queries(labels: np.ndarray | None, total: int, count: int, seed: int = 0) -> list[int]:
    """Choose images to show: of as many classes as possible where there are labels, else at random.

    Args:
        labels (np.ndarray, optional): ``(total,)`` integers, -1 = no class.
        total (int): Number of images.
        count (int): Images to choose.
        seed (int): Draws them.
    """
    order = np.random.default_rng(seed).permutation(total)
    if labels is None:
        return sorted(order[:count].tolist())
    labelled = order[labels[order] >= 0]
    seen: dict[int, int] = {}
    rank = []
    for index in labelled:
        rank.append(seen.get(labels[index], 0))
        seen[labels[index]] = rank[-1] + 1
    chosen = labelled[np.argsort(rank, kind='stable')[:count]]
    return sorted(chosen.tolist(), key=lambda index: labels[index])


def draw_neighbours(
    images: Sequence[np.ndarray],
    queries: Sequence[int],
    neighbours: np.ndarray,
    out: str | Path,
    labels: np.ndarray | None = None,
    classes: Sequence[str] = (),
) -> None:
    """Draw a row a query: itself, then its neighbours.

    With labels, a neighbour of the query's class has a green frame and a tick, another a red frame and a cross. Those
    of a query without a class have neither.

    Args:
        images (Sequence[np.ndarray]): n images ``(H, W, 3)`` uint8.
        queries (Sequence[int]): Rows of the queries.
        neighbours (np.ndarray): What :func:`nearest` returns for them.
        out (str | Path): Picture to write.
        labels (np.ndarray, optional): ``(n,)`` integers, -1 = no class.
        classes (Sequence[str]): Names of the classes.
    """
    columns = neighbours.shape[1] + 1
    figure = Figure(figsize=(1.35 * columns, 1.55 * len(queries)), layout='constrained')
    panels = figure.subplots(len(queries), columns, squeeze=False)
    for row, query, found in zip(panels, queries, neighbours, strict=True):
        for panel, index in zip(row, (query, *found), strict=True):
            panel.imshow(images[index])
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
            if labels is not None and labels[index] >= 0:
                unknown = panel is row[0] or labels[query] < 0
                _name(panel, classes[labels[index]], None if unknown else labels[index] == labels[query])
        row[0].spines[:].set(visible=True, linewidth=3, color='black')
    panels[0, 0].set_ylabel('query', fontsize=8)
    figure.savefig(out, dpi=110)


def draw_cell_neighbours(
    images: Sequence[np.ndarray],
    queries: Sequence[int],
    similarities: Sequence[np.ndarray],
    cell: tuple[int, int],
    out: str | Path,
    count: int = 6,
) -> None:
    """Draw two rows a query: itself and the images of the nearest cells, framed; below, how similar each cell is.

    Args:
        images (Sequence[np.ndarray]): n images ``(H, W, 3)`` uint8.
        queries (Sequence[int]): Rows of the queries.
        similarities (Sequence[np.ndarray]): What :func:`cell_similarity` returns for each of them.
        cell (tuple[int, int]): Row and column of the cell, from 0.
        out (str | Path): Picture to write.
        count (int): Neighbours a query.
    """
    figure = Figure(figsize=(1.35 * (count + 1), 3.1 * len(queries)), layout='constrained')
    panels = figure.subplots(2 * len(queries), count + 1, squeeze=False)
    for number, (query, similarity) in enumerate(zip(queries, similarities, strict=True)):
        found, cells = nearest_by_cell(similarity, query, count)
        # 1 at the cell itself; the least similar hundredth of all cells would cost the others their contrast.
        scale = dict(vmin=np.percentile(similarity, 1), vmax=1, cmap='viridis')
        pictured = zip((query, *found), [cell, *cells], *panels[2 * number : 2 * number + 2], strict=True)
        for index, place, picture, below in pictured:
            height, width = images[index].shape[:2]
            picture.imshow(images[index])
            shown = below.imshow(similarity[index], extent=(-0.5, width - 0.5, height - 0.5, -0.5), **scale)
            frame_cell(picture, place, similarity.shape[1:], images[index], 'black' if index == query else RIGHT)
            frame_cell(below, place, similarity.shape[1:], images[index], 'white')
            below.set_xlabel('query' if index == query else f'{similarity[(index, *place)]:.2f}', fontsize=7)
            for panel in (picture, below):
                panel.set(xticks=[], yticks=[])
        bar = figure.colorbar(shown, ax=list(panels[2 * number + 1]), location='right', pad=0.01, fraction=0.02)
        bar.ax.tick_params(labelsize=6)
    figure.savefig(out, dpi=110)


def frame_cell(panel: Axes, cell: Sequence[int], cells: tuple[int, int], image: np.ndarray, colour: str) -> None:
    """Frame one of ``cells`` (rows, columns) of an image that the panel shows."""
    height, width = image.shape[0] / cells[0], image.shape[1] / cells[1]
    corner = (cell[1] * width - 0.5, cell[0] * height - 0.5)  # the first pixel reaches from -0.5 to 0.5
    panel.add_patch(Rectangle(corner, width, height, fill=False, linewidth=3, edgecolor='white'))
    panel.add_patch(Rectangle(corner, width, height, fill=False, linewidth=1.6, edgecolor=colour))


def _name(panel, name: str, right: bool | None) -> None:
    name = plain_text(name)
    if right is None:
        panel.set_title(name, fontsize=7, fontweight='bold', pad=3)
        return
    colour = RIGHT if right else WRONG
    panel.set_title(f'{"✓" if right else "✗"} {name}', fontsize=7, color=colour, pad=3)
    panel.spines[:].set(visible=True, linewidth=2.5, color=colour)
