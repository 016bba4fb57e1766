"""From an extracted backbone to a trained, tested and drawn segmentation of real images, by the users' commands."""

import json

import cv2
import pytest

METRIC = 'mIoU'


def config_of(repo, data, extracted_r18, options: str) -> str:
    """Text of a config for a folder of ``img_dir`` and ``ann_dir``."""
    return (
        f"_base_ = '{repo}/configs/segmentation/upernet_r18_scenes.py'\n"
        f'{options}'
        f'root = {str(data)!r}\n'
        'size = (128, 128)\n'
        "load = [_base_.load[0], dict(type='LoadLabelMap', num_classes=classes)]\n"
        'train_pipeline = [*load, *_base_.train_pipeline[2:]]\n'
        "test_pipeline = [*load, dict(type='PackSegInputs')]\n"
        f'model = dict(backbone=dict(init_cfg=dict(checkpoint={str(extracted_r18)!r})),\n'
        '    decode_head=dict(num_classes=classes), auxiliary_head=dict(num_classes=classes))\n'
        'train_dataloader = dict(batch_size=8, dataset=dict(dataset, data_root=root, pipeline=train_pipeline))\n'
        'val_dataloader = dict(batch_size=1, dataset=dict(dataset, data_root=root, pipeline=test_pipeline))\n'
        'test_dataloader = val_dataloader\n'
    )


ROADS = (
    'classes = 2\n'
    "names = dict(classes=('background', 'road'), palette=[[0, 0, 0], [255, 220, 0]])\n"
    'dataset = dict(metainfo=names)\n'
    'train_cfg = dict(max_epochs=24, val_interval=24)\n'
)
ISPRS = (
    'classes = 6\n'
    "prefix = dict(img_path='img_dir/train', seg_map_path='ann_dir/train')\n"
    "dataset = dict(_delete_=True, type='ISPRSTiles', data_prefix=prefix)\n"
    'train_cfg = dict(max_epochs=2, val_interval=2)\n'
)


@pytest.mark.slow
def test_roads_are_learned(extracted_r18, data_root, repo, run_tool, tmp_path):
    config = tmp_path / 'upernet_r18_roads.py'
    config.write_text(config_of(repo, data_root / 'roads', extracted_r18, ROADS))
    run_tool('train.py', config, '--work-dir', tmp_path / 'run')
    (scalars,) = tmp_path.glob('run/*/vis_data/scalars.json')
    losses = [row['loss'] for row in map(json.loads, scalars.read_text().splitlines()) if 'loss' in row]
    assert losses[-1] < losses[0] / 2

    printed = run_tool('test.py', config, tmp_path / 'run/epoch_24.pth', '--show-dir', tmp_path / 'shown')
    assert 'mIoU: ' in printed
    assert 'mFscore: ' in printed
    pictures = sorted((tmp_path / 'shown').rglob('*.png'))
    assert len(pictures) == 13
    assert cv2.imread(str(pictures[0])).std() > 10


@pytest.mark.slow
@pytest.mark.parametrize('name', ['potsdam', 'vaihingen'])
def test_isprs_tiles_train_and_are_scored(extracted_r18, data_root, repo, run_tool, tmp_path, name):
    config = tmp_path / f'upernet_r18_{name}.py'
    config.write_text(config_of(repo, data_root / name, extracted_r18, ISPRS))
    printed = run_tool('train.py', config, '--work-dir', tmp_path / 'run')
    assert 'impervious_surface' in printed
    assert 'mIoU: ' in printed
