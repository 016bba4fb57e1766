"""Features of many images as points of a plane."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from cmid_mm.apis.trained import distinct_colours

from .panels import plain_text

METHODS = dict(tsne='t-SNE', umap='UMAP')
MARKERS = 'os^Dv'
UNNAMED = (128, 128, 128)


def embed(features: np.ndarray, method: str = 'tsne', seed: int = 0) -> np.ndarray:
    """Lay features out in a plane so that similar ones (by cosine) lie close together.

    Distances between groups and their sizes mean little in either method (Wattenberg et al., Distill 2016).

    Args:
        features (np.ndarray): ``(n, C)``.
        method (str): ``'tsne'``: scikit-learn's t-SNE from a PCA start, perplexity 30 or what few images allow;
            ``'umap'``: of the optional package umap-learn. Defaults to ``'tsne'``.
        seed (int): Makes the result repeatable.

    Returns:
        np.ndarray: ``(n, 2)`` float64.

    Raises:
        ValueError: An unknown method, a missing package, or fewer than 5 images.
    """
    if method not in METHODS:
        raise ValueError(f'method={method!r} is not one of {tuple(METHODS)}')
    if len(features) < 5:
        raise ValueError(f'{len(features)} images make no map; give 5 or more')
    if method == 'tsne':
        perplexity = min(30.0, (len(features) - 1) / 3)
        unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
        # Of unit vectors the Euclidean distance orders as the cosine does, and allows the start from PCA.
        return TSNE(perplexity=perplexity, init='pca', random_state=seed).fit_transform(unit).astype(float)
    try:
        from umap import UMAP
    except ImportError as error:
        raise ValueError(
            "method='umap' needs the package umap-learn, which is not installed; pip install umap-learn, or take tsne"
        ) from error
    neighbours = min(15, len(features) - 1)
    return UMAP(n_neighbors=neighbours, metric='cosine', random_state=seed).fit_transform(features).astype(float)


def draw_embedding(points: np.ndarray, labels: np.ndarray | None, classes: Sequence[str], out: str | Path) -> None:
    """Draw the points, a colour and marker a class.

    Args:
        points (np.ndarray): ``(n, 2)``.
        labels (np.ndarray, optional): ``(n,)`` integers, -1 = no class.
        classes (Sequence[str]): Names of the classes.
        out (str | Path): Picture to write.
    """
    legend_rows = -(-len(classes) // 5)
    figure = Figure(figsize=(8, 7.2 + 0.2 * legend_rows), layout='constrained')
    panel = figure.subplots()
    for label, colour in group_colours(labels, classes):
        own = slice(None) if labels is None else labels == label
        panel.scatter(
            *points[own].T,
            s=20,
            color=[np.array(colour) / 255],
            marker=MARKERS[label % len(MARKERS)] if label >= 0 else 'x',
            linewidths=0 if label >= 0 else 0.8,
            label=plain_text(classes[label] if label >= 0 else 'no class', 22),
        )
    panel.set(xticks=[], yticks=[], aspect='equal')
    if labels is not None:
        figure.legend(loc='outside lower center', ncols=5, fontsize=7, markerscale=1.6, frameon=False)
    figure.savefig(out, dpi=130)


def group_colours(labels: np.ndarray | None, classes: Sequence[str]) -> list[tuple[int, tuple[int, int, int]]]:
    """Label, -1 = no class, and RGB colour of every class that occurs."""
    if labels is None:
        return [(-1, distinct_colours(1)[0])]
    colours = distinct_colours(max(1, len(classes)))
    found = np.unique(labels).tolist()
    return [(label, colours[label] if label >= 0 else UNNAMED) for label in found]
