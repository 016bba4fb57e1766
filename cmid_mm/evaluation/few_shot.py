"""What a frozen backbone knows when only a few images of each class have labels."""

from collections.abc import Sequence

import numpy as np

from .linear_probe import linear_probe

SHOTS = (5, 20, 50, 100)


def k_shot_rows(labels: np.ndarray, rows: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """Draw ``k`` images of every class, without replacement.

    The images of a class are put in an order that depends on ``seed`` and on the class alone, and the first ``k`` are
    taken: of one seed, the 5 are among the 20.

    Args:
        labels (np.ndarray): ``(n,)`` integers of all images, -1 = no class.
        rows (np.ndarray): Images that may be drawn, those to learn from.
        k (int): Images a class, 1 or more.
        seed (int): Draws them.

    Returns:
        np.ndarray: Sorted, a part of ``rows``.

    Raises:
        ValueError: ``k`` below 1, no image with a class, or a class with fewer than ``k`` images.
    """
    if k < 1:
        raise ValueError(f'k={k} images of a class cannot be drawn; choose 1 or more')
    present = labels[rows]
    classes, counts = np.unique(present[present >= 0], return_counts=True)
    if not len(classes):
        raise ValueError('none of the images to draw from has a class; give labelled images')
    if counts.min() < k:
        raise ValueError(
            f'class {classes[counts.argmin()]} has {counts.min()} images to learn from, fewer than k={k}; '
            f'choose k up to {counts.min()}'
        )
    # One generator a class: how many images the others have must not change what is drawn of this one.
    drawn = [
        np.random.default_rng([seed, int(label)]).permutation(np.sort(rows[present == label]))[:k] for label in classes
    ]
    return np.sort(np.concatenate(drawn))


def few_shot_accuracies(
    features: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    shots: Sequence[int] = SHOTS,
    seed: int = 0,
) -> dict[int, float]:
    """Accuracy on the test images of a linear probe that saw ``k`` images a class, for each ``k``.

    Args:
        features (np.ndarray): ``(n, C)`` of a frozen backbone in evaluation mode.
        labels (np.ndarray): ``(n,)`` integers.
        train (np.ndarray): Rows to draw from.
        test (np.ndarray): Rows to score.
        shots (Sequence[int]): Values of k, 2 or more; the probe validates its penalty on a fifth of them.
        seed (int): Draws the images, see :func:`k_shot_rows`, and the probe's inner validation.

    Returns:
        dict[int, float]: k to accuracy from 0 to 1; a k for which some class is too small is left out.
    """
    smallest = np.unique(labels[train], return_counts=True)[1].min()
    accuracies = {}
    for k in sorted(shots):
        if k <= smallest:
            rows = k_shot_rows(labels, train, k, seed)
            split = (features[rows], labels[rows], features[test], labels[test])
            accuracies[k] = linear_probe(*split, seed=seed).accuracy
    return accuracies
