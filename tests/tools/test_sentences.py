"""What a user gets wrong ends tools/train.py and tools/test.py with one sentence, not with a traceback."""

import re

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS

from cmid_mm.datasets.scenes import write_scenes


@pytest.fixture
def config(repo, tmp_path):
    """Write a segmentation config on drawn scenes, with the settings given."""
    write_scenes(tmp_path / 'scenes', num=40, size=64, tasks=['segmentation'])

    def _config(backbone='None'):
        path = tmp_path / 'mine.py'
        path.write_text(
            f'_base_ = {str(repo / "configs/segmentation/upernet_r18_scenes.py")!r}\n'
            f'model = dict(backbone=dict(init_cfg={backbone}))\n'
            f'data = dict(data_root={str(tmp_path / "scenes/segmentation")!r})\n'
            'train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=data)\n'
            'val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=data)\n'
            'test_dataloader = val_dataloader\n'
        )
        return path

    return _config


def last_line(printed: str, tool: str) -> str:
    (sentence,) = [line for line in printed.splitlines() if line.startswith(f'{tool}: ')]
    assert 'Traceback' not in printed
    return sentence


@pytest.mark.slow
def test_a_backbone_of_another_depth(config, run_tool, tmp_path):
    torch.save(dict(state_dict=MODELS.build(dict(type='ResNet', depth=34)).state_dict()), tmp_path / 'r34.pth')
    path = config(f"dict(type='Pretrained', checkpoint={str(tmp_path / 'r34.pth')!r})")
    sentence = last_line(run_tool('train.py', path, '--work-dir', tmp_path / 'run', fails=True), 'train')
    assert re.search(r'r34\.pth does not fit this ResNet.*make the depth, width and stages of both the same', sentence)
    assert 'cmid_mm/checkpoints/pretrained.py:' in sentence


@pytest.mark.slow
def test_an_empty_annotation_folder(config, run_tool, tmp_path):
    for mask in (tmp_path / 'scenes/segmentation/ann_dir/train').iterdir():
        mask.unlink()
    sentence = last_line(run_tool('train.py', config(), '--work-dir', tmp_path / 'run', fails=True), 'train')
    assert 'ann_dir/train of the masks is empty' in sentence


@pytest.mark.slow
def test_a_mask_with_an_unknown_value(config, run_tool, tmp_path):
    for mask in (tmp_path / 'scenes/segmentation/ann_dir/train').iterdir():
        cv2.imwrite(str(mask), np.full((64, 64), 99, np.uint8))
    sentence = last_line(run_tool('train.py', config(), '--work-dir', tmp_path / 'run', fails=True), 'train')
    assert re.search(r'\.png has pixels of the labels \[99\], none of the 15 classes', sentence)


@pytest.mark.slow
def test_a_backbone_instead_of_a_trained_model(config, run_tool, tmp_path):
    torch.save(dict(state_dict=MODELS.build(dict(type='ResNet', depth=18)).state_dict()), tmp_path / 'backbone.pth')
    printed = run_tool('test.py', config(), tmp_path / 'backbone.pth', '--work-dir', tmp_path / 'run', fails=True)
    assert re.search(r'backbone\.pth does not fit this EncoderDecoder', last_line(printed, 'test'))


def test_a_config_that_does_not_exist(run_tool, tmp_path):
    printed = run_tool('train.py', tmp_path / 'gone.py', fails=True)
    assert 'gone.py' in last_line(printed, 'train')


@pytest.mark.slow
def test_a_loss_that_is_not_finite(tiny_config, run_tool, tmp_path):
    tiny_config.optim_wrapper.optimizer.lr = 1e18
    tiny_config.param_scheduler = []
    tiny_config.dump(tmp_path / 'diverging.py')
    printed = run_tool('train.py', tmp_path / 'diverging.py', '--work-dir', tmp_path / 'run', fails=True)
    sentence = last_line(printed, 'train')
    assert re.search(r"iteration \d+: loss\w* is (nan|inf) .*set action of NonFiniteHook to 'skip'", sentence)
