"""Linear-probe accuracy: how well one linear layer on frozen features tells the classes apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from .checks import check_split

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True)
class LinearProbe:
    """Result of :func:`linear_probe`.

    Attributes:
        accuracy (float): On the test images, 0 to 1.
        strength (float): scikit-learn's C (inverse of the penalty) that the inner validation chose.
        validation_accuracy (float): Of that C on the inner validation images, 0 to 1.
    """

    accuracy: float
    strength: float
    validation_accuracy: float


def linear_probe(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    strengths: Sequence[float] = STRENGTHS,
    seed: int = 0,
) -> LinearProbe:
    """Fit logistic regression on standardised features and score it on the test images.

    C is chosen on a fifth of the training images that the fit does not see (stratified, drawn by
    ``seed``); the test images play no part in it. The chosen C is then fitted on all training
    images.

    Args:
        train_features (np.ndarray): ``(n, C)``.
        train_labels (np.ndarray): ``(n,)`` integers.
        test_features (np.ndarray): ``(m, C)``.
        test_labels (np.ndarray): ``(m,)`` integers.
        strengths (Sequence[float]): Values of C to try. Ties go to the smaller.
        seed (int): Draws the inner validation images.

    Raises:
        ValueError: A class with a single training image, or features and labels that cannot be
            scored.
    """
    check_split(train_features, train_labels, test_features, test_labels)
    classes, counts = np.unique(train_labels, return_counts=True)
    if counts.min() < 2:
        raise ValueError(
            f'Class {classes[counts.argmin()]} has a single training image; '
            'the linear probe needs 2 or more of every class.'
        )
    held_out = max(len(classes), round(0.2 * len(train_labels)))
    splitter = StratifiedShuffleSplit(1, test_size=held_out, random_state=seed)
    inner, validation = next(splitter.split(train_features, train_labels))
    # These matrices are small: on a busy machine threads that wait for each other made it 100 times slower.
    with threadpool_limits(1):
        scores = {
            strength: _classifier(strength)
            .fit(train_features[inner], train_labels[inner])
            .score(train_features[validation], train_labels[validation])
            for strength in sorted(strengths)
        }
        best = max(scores, key=scores.get)
        final = _classifier(best).fit(train_features, train_labels)
    return LinearProbe(
        accuracy=float(final.score(test_features, test_labels)),
        strength=best,
        validation_accuracy=float(scores[best]),
    )


def _classifier(strength: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
