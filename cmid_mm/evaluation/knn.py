"""k-nearest-neighbour accuracy: what the features know without training anything on them."""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from .checks import check_split


def knn_accuracy(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    k: int = 10,
    weights: str = 'uniform',
) -> float:
    """Share of test images whose k most similar training images vote for the right class.

    Similarity is the cosine of the features. A tie goes to the lower label, as scikit-learn decides
    it.

    Args:
        train_features (np.ndarray): ``(n, C)``.
        train_labels (np.ndarray): ``(n,)`` integers.
        test_features (np.ndarray): ``(m, C)``.
        test_labels (np.ndarray): ``(m,)`` integers.
        k (int): Neighbours that vote. Defaults to 10.
        weights (str): ``'uniform'`` counts votes, ``'distance'`` weighs them by 1 / cosine
            distance.

    Returns:
        float: Accuracy from 0 to 1.

    Raises:
        ValueError: ``k`` outside 1 to n, or features and labels that cannot be scored.
    """
    check_split(train_features, train_labels, test_features, test_labels)
    if not 1 <= k <= len(train_features):
        raise ValueError(
            f'k={k} neighbours cannot vote among {len(train_features)} training images; '
            f'choose k from 1 to {len(train_features)}.'
        )
    classifier = KNeighborsClassifier(k, weights=weights, metric='cosine', algorithm='brute')
    classifier.fit(train_features, train_labels)
    return float(classifier.score(test_features, test_labels))
