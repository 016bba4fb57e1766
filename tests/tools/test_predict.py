"""tools/predict.py: the task told by the config, files written, errors of one sentence."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, stem_channels=4, base_channels=4, out_indices=(3,)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=32),
)
pipeline = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(32, 32)), dict(type='PackInputs')]
test_dataloader = dict(dataset=dict(type='CustomDataset', pipeline=pipeline, metainfo=dict(classes=('land', 'sea'))))
"""


@pytest.fixture
def trained_model(tmp_path) -> tuple[Path, Path]:
    """Config and checkpoint of a small classifier."""
    config, checkpoint = tmp_path / 'config.py', tmp_path / 'epoch_1.pth'
    config.write_text(CONFIG)
    scope = {}
    exec(CONFIG, scope)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        torch.save(dict(state_dict=MODELS.build(scope['model']).state_dict()), checkpoint)
    return config, checkpoint


def predict(repo: Path, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, repo / 'tools/predict.py', *arguments]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


@pytest.mark.slow
def test_a_folder_is_predicted_and_errors_are_one_sentence(repo, trained_model, tmp_path):
    images = tmp_path / 'images/below'
    images.mkdir(parents=True)
    for number in range(3):
        cv2.imwrite(str(images / f'{number}.png'), np.full((40, 50, 3), 80 * number, np.uint8))
    out = ('--out-dir', tmp_path / 'out')
    done = predict(repo, *trained_model, images.parent, *out)
    assert done.returncode == 0, done.stderr
    assert '3 predictions in' in done.stdout
    written = sorted(path.relative_to(tmp_path / 'out').as_posix() for path in (tmp_path / 'out').rglob('*.*'))
    assert written == [*(f'pictures/below/{number}.jpg' for number in range(3)), 'predictions.json']

    config, checkpoint = trained_model
    for arguments, message in (
        ((config, checkpoint, tmp_path / 'nothing'), 'nothing is neither an image file nor a folder'),
        ((config, checkpoint, images, images), 'is of the task classification: give one input'),
        ((config, checkpoint, images, '--task', 'detection'), 'is one of classification'),
        ((config, checkpoint, images, '--window-size', 64), 'classification sees whole images: leave out window_size'),
        ((config, tmp_path / 'no.pth', images), r'no.pth is no checkpoint file'),
    ):
        failed = predict(repo, *arguments, *out)
        assert failed.returncode == 1
        assert failed.stderr.strip().splitlines()[-1].startswith('predict: '), failed.stderr
        assert message in failed.stderr
        assert 'Traceback' not in failed.stderr
