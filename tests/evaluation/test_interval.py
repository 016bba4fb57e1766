"""The interval over seeds is Student's."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cmid_mm.evaluation.interval import mean_interval


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-1e3, 1e3).map(lambda value: round(value, 6)), min_size=2, max_size=12),
    confidence=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_interval_is_that_of_the_t_test(values, confidence):
    mean, half = mean_interval(values, confidence)
    if np.ptp(values) == 0:
        assert half == pytest.approx(0, abs=1e-9)  # their mean is rounded
        return
    expected = stats.ttest_1samp(values, 0).confidence_interval(confidence)
    assert mean - half == pytest.approx(expected.low, rel=1e-9, abs=1e-9)
    assert mean + half == pytest.approx(expected.high, rel=1e-9, abs=1e-9)


def test_three_seeds_by_the_table_of_quantiles():
    # t(0.975, 2) = 4.303, of any printed table.
    assert mean_interval([1, 2, 3]) == pytest.approx((2, 4.303 / math.sqrt(3)), abs=1e-3)


def test_one_seed_has_a_mean_and_no_interval():
    mean, half = mean_interval([0.25])
    assert mean == 0.25
    assert math.isnan(half)


@pytest.mark.parametrize('values', [[], [1.0, math.nan], [math.inf]])
def test_what_has_no_interval_is_refused(values):
    with pytest.raises(ValueError, match='needs finite values'):
        mean_interval(values)
