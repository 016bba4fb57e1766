"""k-NN, linear probe, collapse and colour histogram on inputs whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmid_mm.evaluation import colour_histograms, knn_accuracy, linear_probe, measure_collapse


def _toy(classes: int = 4, each: int = 30, channels: int = 16, seed: int = 0) -> tuple:
    """Classes around far-apart directions, as training and test halves."""
    generator = np.random.default_rng(seed)
    centres = 5 * np.eye(classes, channels)
    labels = np.repeat(np.arange(classes), each)
    features = (centres[labels] + generator.normal(0, 0.3, (len(labels), channels))).astype(np.float32)
    order = generator.permutation(len(labels))
    train, test = np.split(order, [len(labels) * 2 // 3])
    return features[train], labels[train], features[test], labels[test]


SCORES = {
    'knn': knn_accuracy,
    'probe': lambda *split: linear_probe(*split).accuracy,
}


@pytest.mark.parametrize('score', SCORES.values(), ids=SCORES.keys())
def test_separable_classes_score_one(score):
    assert score(*_toy()) == 1.0


@pytest.mark.parametrize('score', SCORES.values(), ids=SCORES.keys())
def test_permuted_labels_score_near_chance(score):
    train, train_labels, test, test_labels = _toy(each=150)
    shuffled = np.random.default_rng(1).permutation(train_labels)
    assert 0.1 < score(train, shuffled, test, test_labels) < 0.4


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_knn_ignores_the_length_of_a_feature(seed, scale):
    train, train_labels, test, test_labels = _toy(seed=seed)
    noisy = np.random.default_rng(seed).normal(size=train.shape).astype(np.float32) * 3
    lengths = np.random.default_rng(seed).uniform(0.1, 10, (len(test), 1)).astype(np.float32)
    plain = knn_accuracy(train + noisy, train_labels, test, test_labels)
    assert plain == knn_accuracy(train + noisy, train_labels, test * lengths * scale, test_labels)


def test_knn_counts_k_votes_and_can_weigh_them():
    train = np.array([[1.0, 0.0], [0.6, 0.8], [0.5, 0.9]])
    labels = np.array([0, 1, 1])
    query, answer = np.array([[1.0, 0.02]]), np.array([0])
    assert knn_accuracy(train, labels, query, answer, k=1) == 1.0
    assert knn_accuracy(train, labels, query, answer, k=3) == 0.0
    assert knn_accuracy(train, labels, query, answer, k=3, weights='distance') == 1.0


def test_probe_chooses_its_penalty_without_the_test_images():
    train, train_labels, test, test_labels = _toy(each=60)
    noisy = train + np.random.default_rng(2).normal(0, 4, train.shape)
    result = linear_probe(noisy, train_labels, test, test_labels, seed=3)
    again = linear_probe(noisy, train_labels, test[:1], test_labels[:1], seed=3)
    assert (result.strength, result.validation_accuracy) == (
        again.strength,
        again.validation_accuracy,
    )
    assert result == linear_probe(noisy, train_labels, test, test_labels, seed=3)


@pytest.mark.parametrize('score', SCORES.values(), ids=SCORES.keys())
def test_scores_refuse_what_has_no_answer(score):
    train, train_labels, test, test_labels = _toy()
    with pytest.raises(ValueError, match='at least 2 classes'):
        score(train, np.zeros_like(train_labels), test, test_labels)
    with pytest.raises(ValueError, match='one label a row'):
        score(train, train_labels[:-1], test, test_labels)
    with pytest.raises(ValueError, match='16 channels and the test features 15'):
        score(train, train_labels, test[:, :-1], test_labels)
    with pytest.raises(ValueError, match='1 of 40 rows of the test features hold NaN'):
        score(train, train_labels, np.where(np.arange(40)[:, None] == 3, np.nan, test), test_labels)


def test_too_many_neighbours_and_too_few_images():
    train, train_labels, test, test_labels = _toy()
    with pytest.raises(ValueError, match=r'k=81 .* 80 training images'):
        knn_accuracy(train, train_labels, test, test_labels, k=81)
    one = np.concatenate([train_labels[:-1], [9]])
    with pytest.raises(ValueError, match='Class 9 has a single'):
        linear_probe(train, one, test, test_labels)


def test_collapse_is_zero_for_one_point_and_one_for_all_directions():
    generator = np.random.default_rng(0)
    point = measure_collapse(np.tile(generator.normal(size=(1, 64)), (100, 1)))
    assert point.spread == pytest.approx(0, abs=1e-6)
    assert point.effective_rank == 0.0
    full = measure_collapse(generator.normal(size=(20000, 64)))
    assert full.spread == pytest.approx(1, abs=0.01)
    assert full.effective_rank == pytest.approx(64, rel=0.01)


@settings(max_examples=25, deadline=None)
@given(rank=st.integers(1, 12), seed=st.integers(0, 100))
def test_effective_rank_never_exceeds_the_rank(rank, seed):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(50, rank)) @ generator.normal(size=(rank, 32))
    assert 1 - 1e-9 <= measure_collapse(features).effective_rank <= rank + 1e-9


def test_effective_rank_of_equal_singular_values_is_their_number():
    corners = np.concatenate([np.eye(5), -np.eye(5)])
    assert measure_collapse(corners).effective_rank == pytest.approx(5)


def test_collapse_refuses_a_dead_feature():
    with pytest.raises(ValueError, match='1 feature rows are zero'):
        measure_collapse(np.array([[1.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match='at least 2'):
        measure_collapse(np.ones((1, 3)))


def test_colour_histogram_counts_joint_colours():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:, :1] = (255, 40, 0)
    row = colour_histograms([image])[0]
    assert row.shape == (512,)
    assert np.flatnonzero(row).tolist() == [0, 7 * 64 + 1 * 8]
    assert row[[0, 456]] ** 2 == pytest.approx([0.75, 0.25])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), height=st.integers(1, 20), width=st.integers(1, 20))
def test_colour_histogram_ignores_where_pixels_lie(seed, height, width):
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    moved = generator.permutation(image.reshape(-1, 3)).reshape(width, height, 3)
    first, second = colour_histograms([image, moved])
    np.testing.assert_array_equal(first, second)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-6)


def test_colour_histogram_refuses_other_images():
    with pytest.raises(ValueError, match='does not divide 256'):
        colour_histograms([np.zeros((2, 2, 3), np.uint8)], bins=7)
    with pytest.raises(ValueError, match='uint8 images'):
        colour_histograms([np.zeros((2, 2, 4), np.uint8)])
