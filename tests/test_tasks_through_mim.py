"""`mim train PACKAGE CONFIG`, as users of OpenMMLab start every task, from any folder."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cmid_mm.datasets.scenes import write_scenes


@pytest.mark.slow
@pytest.mark.parametrize(
    ('package', 'config', 'folder', 'metric'),
    [
        ('mmpretrain', 'classification/classifier_r18_scenes.py', 'classification', 'accuracy/top1'),
        ('mmsegmentation', 'segmentation/upernet_r18_scenes.py', 'segmentation', 'mIoU'),
        ('mmsegmentation', 'change_detection/bit_r18_scenes.py', 'change', 'F1'),
        ('mmrotate', 'detection/oriented-rcnn_r18_scenes.py', 'detection', 'dota/mAP'),
    ],
)
def test_a_task_trains_through_mim(
    package: str, config: str, folder: str, metric: str, repo: Path, tmp_path: Path
) -> None:
    write_scenes(tmp_path / 'scenes', num=32, size=64, tasks=[folder])
    mine = tmp_path / 'my config.py'
    mine.write_text(
        f'_base_ = {str(repo / "configs" / config)!r}\n'
        'model = dict(backbone=dict(init_cfg=None))\n'
        f'data = dict(data_root={str(tmp_path / "scenes" / folder)!r})\n'
        'train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=data)\n'
        'val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=data)\n'
        'train_cfg = dict(_delete_=True, by_epoch=False, max_iters=2, val_interval=2)\n'
        'param_scheduler = []\n'
        'default_hooks = dict(logger=dict(interval=1), checkpoint=dict(by_epoch=False, interval=2))\n'
        'log_processor = dict(by_epoch=False)\n'
    )
    run = subprocess.run(
        [
            *(sys.executable, '-m', 'mim', 'train', package, str(mine)),
            *('--gpus', '0', '--launcher', 'none', '--work-dir', str(tmp_path / 'my run')),
        ],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,  # mim asks before it installs upstream's package
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert (tmp_path / 'my run/iter_2.pth').is_file()
    (scalars,) = (tmp_path / 'my run').glob('*/vis_data/scalars.json')
    logged = [json.loads(line) for line in scalars.read_text().splitlines()]
    losses = [entry['loss'] for entry in logged if 'loss' in entry]
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    assert [entry for entry in logged if metric in entry]
