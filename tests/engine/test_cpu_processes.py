"""Several processes without GPUs train what GPUs train."""

import os
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config

from cmid_mm.checkpoints import load_checkpoint

TWO = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone']


@pytest.mark.slow
def test_synchronised_norms_become_each_process_s_own(repo, image_folder, tmp_path):
    cfg = Config.fromfile(repo / 'configs/byol/byol_r18_ucmerced.py')
    cfg.model.backbone.update(stem_channels=8, base_channels=8)
    cfg.model.neck.update(in_channels=64, hid_channels=16)
    cfg.model.head.predictor.hid_channels = 16
    cfg.train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False)
    cfg.train_dataloader.dataset.update(data_root=str(image_folder), cache=str(tmp_path))
    cfg.train_cfg.max_epochs = 1
    cfg.param_scheduler = []  # its warm-up is longer
    cfg.dump(tmp_path / 'byol.py')
    assert cfg.model.backbone.norm_cfg.type == 'SyncBN', 'torch refuses it on CPUs'

    work_dir = tmp_path / 'work'
    run = subprocess.run(
        [*TWO, repo / 'tools/train.py', tmp_path / 'byol.py', '--work-dir', work_dir, '--launcher', 'pytorch'],
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert 'norms of type SyncBN take the statistics of their own process' in run.stdout + run.stderr
    state = load_checkpoint(work_dir / 'epoch_1.pth')['state_dict']
    assert int(state['backbone.bn1.num_batches_tracked']) > 0
    assert all(torch.isfinite(value).all() for value in state.values())
