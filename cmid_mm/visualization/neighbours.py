"""Images and those that the features call most similar."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.neighbors import NearestNeighbors

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

    With labels, a neighbour of the query's class has a green frame and a tick, another a red frame and a cross.

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
                _name(panel, classes[labels[index]], None if panel is row[0] else labels[index] == labels[query])
        row[0].spines[:].set(visible=True, linewidth=3, color='black')
    panels[0, 0].set_ylabel('query', fontsize=8)
    figure.savefig(out, dpi=110)


def _name(panel, name: str, right: bool | None) -> None:
    # A dollar sign would start a formula.
    name = (name if len(name) <= 16 else name[:15] + '…').replace('$', r'\$')
    if right is None:
        panel.set_title(name, fontsize=7, fontweight='bold', pad=3)
        return
    colour = RIGHT if right else WRONG
    panel.set_title(f'{"✓" if right else "✗"} {name}', fontsize=7, color=colour, pad=3)
    panel.spines[:].set(visible=True, linewidth=2.5, color=colour)
