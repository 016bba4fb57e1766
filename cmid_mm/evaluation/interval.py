"""How far the mean over a few seeds can be trusted."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """A mean, and half the width of its confidence interval; NaN where one value says nothing of the spread."""

    mean: float
    half_width: float


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean and confidence interval by Student's t, whose n - 1 degrees of freedom fit a handful of seeds.

    The half width is t * s / sqrt(n), with s the sample's standard deviation (divisor n - 1) and t the quantile at
    (1 + confidence) / 2. It takes the values as independent draws from one normal distribution.

    Args:
        values (Sequence[float]): Finite numbers, one a seed.
        confidence (float): Between 0 and 1. Defaults to 0.95.

    Raises:
        ValueError: No value, one that is not finite, or a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f'confidence={confidence} lies outside (0, 1); give for instance 0.95')
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f'an interval needs finite values, not {array.tolist()}; leave failed runs out and say so')
    if array.size == 1:
        return Interval(float(array[0]), math.nan)
    quantile = stats.t.ppf((1 + confidence) / 2, array.size - 1)
    return Interval(float(array.mean()), float(quantile * stats.sem(array)))
