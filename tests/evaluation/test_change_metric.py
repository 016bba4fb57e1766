"""Scores of change against scikit-learn, over the whole set, in one process and in two."""

import json
import math
import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mmseg.registry import METRICS
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, jaccard_score, precision_score, recall_score

import cmid_mm.with_mmseg  # noqa: F401
from cmid_mm.evaluation.change_metric import ChangeMetric

NAMES = ['precision', 'recall', 'F1', 'IoU', 'OA', 'kappa']


def sample(truth: np.ndarray, prediction: np.ndarray) -> dict:
    return {
        'gt_sem_seg': dict(data=torch.from_numpy(truth)[None]),
        'pred_sem_seg': dict(data=torch.from_numpy(prediction)[None]),
        'img_path': 'pair.png',
    }


def evaluate(truths: list, predictions: list, batch: int = 1) -> dict:
    metric = ChangeMetric()
    samples = [sample(*pair) for pair in zip(truths, predictions, strict=True)]
    for start in range(0, len(samples), batch):
        metric.process(None, samples[start : start + batch])
    return metric.evaluate(len(samples))


def with_sklearn(truth: np.ndarray, prediction: np.ndarray) -> dict:
    counted = truth != 255
    truth, prediction = truth[counted], prediction[counted]
    undefined = dict(zero_division=np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return dict(
            precision=100 * precision_score(truth, prediction, **undefined),
            recall=100 * recall_score(truth, prediction, **undefined),
            F1=100 * f1_score(truth, prediction, **undefined),
            # Its own option for an undefined value knows 0 and 1 alone.
            IoU=100 * jaccard_score(truth, prediction) if (truth | prediction).any() else math.nan,
            OA=100 * accuracy_score(truth, prediction),
            kappa=cohen_kappa_score(truth, prediction, labels=[0, 1]),
        )


labels = arrays(np.int64, (3, 4, 5), elements=st.sampled_from([0, 0, 0, 1, 255]))
constant = st.sampled_from([0, 1]).map(lambda value: np.full((3, 4, 5), value))


@settings(max_examples=150, deadline=None)
@given(
    truth=labels | constant,
    prediction=arrays(np.int64, (3, 4, 5), elements=st.integers(0, 1)) | constant,
    batch=st.integers(1, 3),
)
def test_the_scores_are_those_of_scikit_learn_over_all_pixels(truth, prediction, batch) -> None:
    truth[0, 0, 0] %= 255  # at least one pixel counts
    scores = evaluate(list(truth), list(prediction), batch)
    assert list(scores) == NAMES
    expected = with_sklearn(truth.ravel(), prediction.ravel())
    np.testing.assert_allclose(list(scores.values()), [expected[name] for name in NAMES], rtol=1e-9, equal_nan=True)


def test_the_whole_set_counts_not_the_mean_of_images() -> None:
    truths = [np.array([[1, 0, 0, 0]]), np.array([[1, 1, 1, 1]])]
    predictions = [np.array([[1, 1, 1, 1]]), np.array([[1, 1, 1, 1]])]
    scores = evaluate(truths, predictions)
    assert scores['precision'] == 100 * 5 / 8
    assert scores['F1'] == pytest.approx(100 * 10 / 13)


def test_images_of_unequal_size_count_by_their_pixels() -> None:
    scores = evaluate([np.ones((1, 1), int), np.zeros((3, 3), int)], [np.ones((1, 1), int), np.ones((3, 3), int)])
    assert scores['precision'] == 10.0


def test_undefined_scores_are_nan() -> None:
    nothing, everything = np.zeros((2, 2), int), np.ones((2, 2), int)
    scores = evaluate([nothing], [nothing])
    assert [name for name in NAMES if math.isnan(scores[name])] == ['precision', 'recall', 'F1', 'IoU', 'kappa']
    assert scores['OA'] == 100
    scores = evaluate([nothing], [everything])
    assert (scores['precision'], scores['F1'], scores['IoU'], scores['kappa']) == (0, 0, 0, 0)
    assert math.isnan(scores['recall'])
    scores = evaluate([everything], [nothing])
    assert (scores['recall'], scores['F1']) == (0, 0)
    assert math.isnan(scores['precision'])
    assert all(math.isnan(value) for value in evaluate([np.full((2, 2), 255)], [nothing]).values())


def test_labels_that_are_no_change_are_refused() -> None:
    with pytest.raises(ValueError, match=r'pair\.png: labels and predictions of change are 0 or 1, but 3 occurs'):
        evaluate([np.full((2, 2), 3)], [np.zeros((2, 2), int)])
    with pytest.raises(ValueError, match=r'pair\.png: the label has shape \(2, 2\) and the prediction \(3, 3\)'):
        evaluate([np.zeros((2, 2), int)], [np.zeros((3, 3), int)])


def test_billions_of_pixels_do_not_overflow() -> None:
    matrix = np.array([[4, 1], [2, 3]]) * 10**12
    scores = ChangeMetric().compute_metrics([matrix])
    assert scores['kappa'] == pytest.approx(0.4)
    assert scores['OA'] == 70


def test_it_is_registered_and_takes_a_prefix() -> None:
    metric = METRICS.build(dict(type='mmseg.ChangeMetric', prefix='change'))
    metric.process(None, [sample(np.eye(2, dtype=int), np.eye(2, dtype=int))])
    assert metric.evaluate(1)['change/F1'] == 100


def _image(index: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(index)
    return generator.integers(0, 2, (6, 7)), generator.integers(0, 2, (6, 7))


def process(port: str, work: str, rank: int) -> None:
    """One of two processes, each with every other of five images; the sampler repeats the first to make six."""
    torch.distributed.init_process_group('gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    metric = ChangeMetric()
    for index in (0, 2, 4) if rank == 0 else (1, 3, 0):
        metric.process(None, [sample(*_image(index))])
    Path(work, f'{rank}.json').write_text(json.dumps(metric.evaluate(5)))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_count_each_image_once(tmp_path: Path, repo: Path) -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    environment = {**os.environ, 'PYTHONPATH': str(repo), 'OMP_NUM_THREADS': '1'}
    arguments = [sys.executable, __file__, str(port), str(tmp_path)]
    processes = [subprocess.Popen([*arguments, str(rank)], env=environment) for rank in range(2)]
    try:
        assert [running.wait(120) for running in processes] == [0, 0]
    finally:
        for running in processes:
            running.kill()
    alone = evaluate(*zip(*(_image(index) for index in range(5)), strict=True))
    assert [json.loads((tmp_path / f'{rank}.json').read_text()) for rank in range(2)] == [alone, alone]


if __name__ == '__main__':
    process(*sys.argv[1:3], int(sys.argv[3]))
