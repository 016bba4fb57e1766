"""Where the tests find golden arrays and real images, and what makes every test repeatable."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import cmid_mm  # noqa: F401  registers every component
from cmid_mm.checkpoints import extract_backbone
from cmid_mm.engine.short_run import fit_to_short_run, use_fast_precision

REPO = Path(__file__).resolve().parents[1]


def _folder(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, REPO.parent / 'shared' / default))
    if not path.is_dir():
        pytest.skip(f'{variable}: no folder at {path}; set the variable to the folder of {default}')
    return path


def pytest_configure(config: pytest.Config) -> None:
    """Share the cores among the processes of pytest-xdist; programs that a test starts take as many threads as it."""
    if hasattr(config, 'workerinput'):
        threads = max(1, len(os.sched_getaffinity(0)) // config.workerinput['workercount'])
        torch.set_num_threads(threads)
        os.environ['OMP_NUM_THREADS'] = str(threads)


@pytest.fixture(scope='session')
def golden_root() -> Path:
    """Folder of the arrays computed by the authors' code (``CMID_MM_GOLDEN``)."""
    return _folder('CMID_MM_GOLDEN', 'golden')


@pytest.fixture(scope='session')
def data_root() -> Path:
    """Folder of the real sample images (``CMID_MM_DATA``)."""
    return _folder('CMID_MM_DATA', 'data')


@pytest.fixture(scope='session')
def repo() -> Path:
    """Root of this checkout."""
    return REPO


@pytest.fixture(scope='session')
def run_tool(repo: Path) -> Callable[..., str]:
    """Run ``tools/NAME`` as a user does, and return what it printed."""

    def _run_tool(name: str, *arguments: str | Path, fails: bool = False) -> str:
        run = subprocess.run(
            [sys.executable, str(repo / 'tools' / name), *map(str, arguments)],
            env={**os.environ, 'PYTHONPATH': str(repo)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (run.returncode != 0) == fails, run.stdout[-4000:]
        return run.stdout

    return _run_tool


@pytest.fixture(autouse=True)
def _registry_scope() -> None:
    """Build everything in mmpretrain's scope, as a Runner of a pretraining config does."""
    init_default_scope('mmpretrain')


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """Two dozen small images that differ in layout, so that there is something to learn."""
    folder = tmp_path / 'images'
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(24):
        coarse = generator.integers(0, 256, (5, 5, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{index:02d}.png'), cv2.resize(coarse, (80, 72), interpolation=cv2.INTER_CUBIC))
    return folder


@pytest.fixture
def tiny_config(repo: Path, tmp_path: Path, image_folder: Path) -> Config:
    """A CMID run of a few seconds: the demo's config on a ResNet of 8 channels, 2 epochs of 6 steps."""
    cfg = Config.fromfile(repo / 'configs/cmid/cmid_r18_demo.py')
    projector = dict(hid_channels=32, out_channels=16)
    cfg.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(stem_channels=8, base_channels=8),
                global_head=dict(projector=projector, queue_size=32),
                local_head=dict(projector=dict(num_prototypes=24, **projector)),
            ),
            train_dataloader=dict(
                batch_size=4, num_workers=0, persistent_workers=False, dataset=dict(data_root=str(image_folder))
            ),
            train_cfg=dict(max_epochs=2),
            default_hooks=dict(logger=dict(interval=1)),
            log_processor=dict(window_size=1),
            work_dir=str(tmp_path / 'work'),
        )
    )
    return cfg


@pytest.fixture(scope='session')
def extracted_r18(data_root: Path, repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backbone that a few steps of CMID on real scenes leave: a ResNet-18, extracted."""
    folder = tmp_path_factory.mktemp('extracted')
    init_default_scope('mmpretrain')
    cfg = Config.fromfile(repo / 'configs/cmid/cmid_r18_demo.py')
    cfg.train_dataloader.dataset.update(
        data_root=str(data_root / 'ucmerced'), indices=list(range(0, 1575, 10)), cache=str(folder)
    )
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False, pin_memory=False)
    cfg.model.global_head.queue_size = 128
    use_fast_precision(cfg)
    fit_to_short_run(cfg, steps_per_epoch=4, epochs=4)
    cfg.default_hooks.checkpoint = dict(type='WholeCheckpointHook', interval=4)
    cfg.update(work_dir=str(folder / 'run'), experiment_name='extracted_r18')
    Runner.from_cfg(cfg).train()
    return extract_backbone(folder / 'run/epoch_4.pth', folder / 'backbone.pth', image_size=64)
