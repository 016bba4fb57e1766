"""All scores of one kind of features, side by side."""

from dataclasses import dataclass

import numpy as np

from .collapse import measure_collapse
from .knn import knn_accuracy
from .linear_probe import linear_probe


@dataclass(frozen=True)
class Score:
    """What features are worth: accuracies from 0 to 1, and the two measures of ``measure_collapse``."""

    name: str
    knn: float
    linear_probe: float
    spread: float
    effective_rank: float


def score_features(
    name: str, features: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int = 0
) -> Score:
    """Score features by 10 neighbours (fewer if there are fewer training images) and by a linear probe.

    Args:
        name (str): What the features are.
        features (np.ndarray): ``(n, C)``.
        labels (np.ndarray): ``(n,)`` integers.
        train (np.ndarray): Rows to learn from.
        test (np.ndarray): Rows to score.
        seed (int): Of the linear probe's inner validation.
    """
    split = (features[train], labels[train], features[test], labels[test])
    collapse = measure_collapse(features)
    return Score(
        name,
        knn=knn_accuracy(*split, k=min(10, len(train))),
        linear_probe=linear_probe(*split, seed=seed).accuracy,
        spread=collapse.spread,
        effective_rank=collapse.effective_rank,
    )
