"""Measures of collapse: do the features of different images still differ?"""

from dataclasses import dataclass

import numpy as np

from .checks import check_features


@dataclass(frozen=True)
class Collapse:
    """Result of :func:`measure_collapse`.

    Attributes:
        spread (float): 0 if every image has the same feature, about 1 if they point in all
            directions alike.
        effective_rank (float): Number of directions in use, from 1 to min(n - 1, C); 0 if all are
            the same.
    """

    spread: float
    effective_rank: float


def measure_collapse(features: np.ndarray) -> Collapse:
    r"""Measure how far the features of n images are from being one point or one line.

    - ``spread``: standard deviation of each dimension of the L2-normalised features, averaged over
      the dimensions, divided by :math:`1 / \sqrt{C}` (Chen and He, SimSiam, CVPR 2021, section
      4.1).
    - ``effective_rank``: exponential of the entropy of the centred features' singular values, taken
      as shares of their sum (Roy and Vetterli, EUSIPCO 2007).

    Args:
        features (np.ndarray): ``(n, C)``, one row an image.

    Raises:
        ValueError: Fewer than 2 rows, a row that is zero throughout, or NaN.
    """
    check_features('given', features)
    if len(features) < 2:
        raise ValueError('Collapse compares images; give the features of at least 2.')
    features = features.astype(np.float64)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(
            f'{int((lengths == 0).sum())} feature rows are zero, so they have no direction; '
            'look for a backbone whose last activation died.'
        )
    unit = features / lengths
    spread = unit.std(axis=0).mean() * np.sqrt(features.shape[1])

    values = np.linalg.svd(features - features.mean(axis=0), compute_uv=False)
    # Equal images differ by rounding alone, which must not count as directions.
    rounding = np.finfo(np.float32).eps * np.sqrt(features.size) * np.abs(features).max()
    values = values[values > rounding]
    if not len(values):
        return Collapse(float(spread), 0.0)
    shares = values / values.sum()
    return Collapse(float(spread), float(np.exp(-(shares * np.log(shares)).sum())))
