"""Few labels: k of every class, the same for every method, never an image that is scored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmid_mm.evaluation import split_by_class
from cmid_mm.evaluation.few_shot import few_shot_accuracies, k_shot_rows


@st.composite
def labelled(draw):
    """Labels with some images of no class, a split, and a k that the smallest class allows."""
    counts = draw(st.lists(st.integers(6, 40), min_size=2, max_size=6))
    loose = draw(st.integers(0, 5))
    labels = np.concatenate([np.repeat(np.arange(len(counts)), counts), np.full(loose, -1)])
    labels = np.random.default_rng(draw(st.integers(0, 99))).permutation(labels)
    train, test = split_by_class(labels, seed=draw(st.integers(0, 9)))
    smallest = np.bincount(labels[train]).min()
    return labels, train, test, draw(st.integers(1, int(smallest)))


@settings(max_examples=60, deadline=None)
@given(case=labelled(), seed=st.integers(0, 1000))
def test_k_of_every_class_and_none_that_is_scored(case, seed):
    labels, train, test, k = case
    rows = k_shot_rows(labels, np.union1d(train, np.flatnonzero(labels < 0)), k, seed)
    assert np.unique(rows).tolist() == rows.tolist()
    assert set(rows) <= set(train)
    assert not set(rows) & set(test)
    assert np.bincount(labels[rows]).tolist() == [k] * (labels.max() + 1)
    assert np.array_equal(rows, k_shot_rows(labels, train[::-1], k, seed))


@settings(max_examples=30, deadline=None)
@given(case=labelled(), seed=st.integers(0, 1000))
def test_fewer_are_among_more(case, seed):
    labels, train, _, k = case
    for fewer in range(1, k):
        assert set(k_shot_rows(labels, train, fewer, seed)) <= set(k_shot_rows(labels, train, k, seed))


def test_other_seeds_draw_others():
    labels = np.repeat([0, 1], 50)
    drawn = {tuple(k_shot_rows(labels, np.arange(100), 5, seed)) for seed in range(20)}
    assert len(drawn) == 20


def test_a_class_that_is_too_small_is_named():
    labels = np.array([0] * 9 + [1] * 4)
    with pytest.raises(ValueError, match='class 1 has 4 images to learn from, fewer than k=5; choose k up to 4'):
        k_shot_rows(labels, np.arange(13), 5)
    with pytest.raises(ValueError, match='k=0'):
        k_shot_rows(labels, np.arange(13), 0)
    with pytest.raises(ValueError, match='none of the images'):
        k_shot_rows(np.full(5, -1), np.arange(5), 1)


def test_scores_rise_with_labels_and_stop_where_a_class_is_too_small():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 60)
    # Classes that overlap in most dimensions: few labels leave them unclear.
    features = generator.normal(size=(240, 64)).astype(np.float32)
    features[:, :4] += 1.5 * np.eye(4)[labels]
    train, test = split_by_class(labels)
    scores = few_shot_accuracies(features, labels, train, test, shots=(40, 5, 100))
    assert list(scores) == [5, 40]
    assert 0.25 < scores[5] < scores[40]
    # The test images beyond the one that is asked do not matter, so nothing was fitted on them.
    alone = few_shot_accuracies(features, labels, train, test[:1], shots=(5,))
    assert alone[5] in (0, 1)
    assert scores == few_shot_accuracies(features, labels, train, test, shots=(5, 40))
