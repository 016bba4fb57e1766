"""Runs of the methods beside CMID, small enough for a test."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from mmengine.config import Config

RUN = count()  # two runs of one second and one name would share a log
RESNET = {'model.backbone.stem_channels': 8, 'model.backbone.base_channels': 8}
NECK = {'model.neck.in_channels': 64, 'model.neck.hid_channels': 16}
SMALL = {
    'byol_r18': RESNET | NECK | {'model.head.predictor.hid_channels': 16},
    'mocov2_r18': RESNET | NECK | {'model.queue_len': 16},
    'densecl_r18': RESNET | NECK | {'model.queue_len': 16},
    'swav_r18': RESNET | NECK | {'model.head.loss.num_prototypes': 8, 'custom_hooks.3.queue_length': 8},
    'spark_r18': RESNET | {'model.enc_dec_norm_dim': 64, 'model.neck.feature_dim': 32},
}


@pytest.fixture
def tiny_rival(repo: Path, image_folder: Path, tmp_path: Path) -> Callable[..., Config]:
    """Make the config of a run of a few seconds: a small network on 24 images, 6 steps of 4 an epoch."""

    def _config(name: str, max_epochs: int, **changes) -> Config:
        cfg = Config.fromfile(repo / f'configs/{name.split("_")[0]}/{name}_ucmerced.py')
        cfg.merge_from_dict(SMALL.get(name, {}))
        cfg.train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False, pin_memory=False)
        cfg.train_dataloader.dataset.update(data_root=str(image_folder), cache=str(tmp_path / 'index'))
        cfg.train_cfg.max_epochs = max_epochs
        cfg.update(work_dir=str(tmp_path / 'work'), experiment_name=f'{name} {next(RUN)}')
        cfg.merge_from_dict(changes)
        return cfg

    return _config
