"""What a run measures of itself is what evaluation measures of a finished backbone."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cmid_mm.evaluation import measure_collapse
from cmid_mm.models.utils import spread_and_rank


@given(
    rows=st.integers(2, 40),
    columns=st.integers(1, 40),
    directions=st.integers(1, 8),
    offset=st.floats(-100, 100),
    seed=st.integers(0, 1000),
)
def test_it_is_what_evaluation_measures(rows, columns, directions, offset, seed):
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((rows, directions)) @ generator.standard_normal((directions, columns)) + offset
    features = features.astype(np.float32)
    expected = measure_collapse(features)
    assert spread_and_rank(torch.from_numpy(features)) == pytest.approx(
        (expected.spread, expected.effective_rank), rel=1e-4, abs=1e-6
    )


@pytest.mark.parametrize('value', [0.0, 3.7])
def test_equal_features_have_neither_spread_nor_rank(value):
    assert spread_and_rank(torch.full((8, 16), value)) == pytest.approx((0, 0), abs=1e-6)


def test_one_line_has_rank_one():
    assert spread_and_rank(torch.randn(32, 1) @ torch.randn(1, 64))[1] == pytest.approx(1)


def test_what_is_not_finite_does_not_stop_the_run():
    assert all(math.isnan(value) for value in spread_and_rank(torch.full((4, 4), math.inf)))
