"""The checks that every score makes before it trusts its input."""

import numpy as np


def check_features(name: str, features: np.ndarray, labels: np.ndarray | None = None) -> None:
    """Stop on features that would give a number without a meaning.

    Args:
        name (str): What the features are, for the message ('training', 'test').
        features (np.ndarray): ``(n, C)``.
        labels (np.ndarray, optional): ``(n,)``.

    Raises:
        ValueError: Wrong shape, no rows, NaN or infinite values, or another number of labels.
    """
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(f'The {name} features have shape {features.shape}; give a non-empty (n, C) array.')
    bad = int((~np.isfinite(features).all(axis=1)).sum())
    if bad:
        raise ValueError(
            f'{bad} of {len(features)} rows of the {name} features hold NaN or infinite values; '
            'look for a diverged loss in the pretraining log.'
        )
    if labels is not None and labels.shape != (len(features),):
        raise ValueError(
            f'The {name} features have {len(features)} rows but the labels have shape '
            f'{labels.shape}; give one label a row.'
        )


def check_split(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
) -> None:
    """Check both halves of a split, that they fit together and hold classes to tell apart.

    Raises:
        ValueError: As :func:`check_features`, another number of channels, or fewer than two
            classes.
    """
    check_features('training', train_features, train_labels)
    check_features('test', test_features, test_labels)
    if train_features.shape[1] != test_features.shape[1]:
        raise ValueError(
            f'The training features have {train_features.shape[1]} channels and the test features '
            f'{test_features.shape[1]}; extract both with one backbone.'
        )
    classes = len(np.unique(train_labels))
    if classes < 2:
        raise ValueError(f'The training labels hold {classes} class; a score needs images of at least 2 classes.')
