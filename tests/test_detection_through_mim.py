"""`mim train mmrotate CONFIG`, as users of OpenMMLab start a detector, from any folder."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cmid_mm.datasets.scenes import write_scenes


@pytest.mark.slow
def test_detector_trains_through_mim(repo: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / 'scenes', num=32, size=64, tasks=['detection'])
    config = tmp_path / 'my detector.py'
    config.write_text(
        f'_base_ = {str(repo / "configs/detection/oriented-rcnn_r18_scenes.py")!r}\n'
        'model = dict(backbone=dict(init_cfg=None))\n'
        f'data = dict(data_root={str(tmp_path / "scenes/detection")!r})\n'
        'train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=data)\n'
        'val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=data)\n'
        'train_cfg = dict(_delete_=True, by_epoch=False, max_iters=2, val_interval=2)\n'
        'param_scheduler = []\n'
        'default_hooks = dict(logger=dict(interval=1), checkpoint=dict(by_epoch=False, interval=2))\n'
    )
    run = subprocess.run(
        [
            *(sys.executable, '-m', 'mim', 'train', 'mmrotate', str(config)),
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
    assert [entry for entry in logged if 'dota/mAP' in entry]
