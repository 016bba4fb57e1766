"""Small checkpoints to picture, in the form in which tools/train.py writes them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

PROJECTOR = dict(hid_channels=32, out_channels=16)


@pytest.fixture(scope='session')
def small_config(repo: Path) -> Config:
    """CMID on a ResNet-18 of 8 channels with 24 prototypes, at 96 pixels."""
    cfg = Config.fromfile(repo / 'configs/cmid/cmid_r18_demo.py')
    cfg.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(stem_channels=8, base_channels=8),
                global_head=dict(projector=PROJECTOR, queue_size=32),
                local_head=dict(projector=dict(num_prototypes=24, **PROJECTOR)),
            ),
            train_dataloader=dict(batch_size=4, num_workers=0, persistent_workers=False, pin_memory=False),
        )
    )
    return cfg


@pytest.fixture(scope='session')
def write_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Config], Path]:
    """Build the model of a config with random weights, and save it in a work folder of its own."""

    def _write_checkpoint(cfg: Config) -> Path:
        init_default_scope('mmpretrain')
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        model.init_weights()
        path = tmp_path_factory.mktemp('work') / 'epoch_1.pth'
        torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text)), path)
        path.with_name('last_checkpoint').write_text(str(path))
        return path

    return _write_checkpoint


@pytest.fixture(scope='session')
def small_checkpoint(small_config: Config, write_checkpoint: Callable[[Config], Path]) -> Path:
    """``epoch_1.pth`` of ``small_config``."""
    return write_checkpoint(small_config)
