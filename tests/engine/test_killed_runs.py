"""kill -9 at any moment, a save included, loses nothing: the run goes on and ends as if nothing had happened."""

import inspect
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from cmid_mm.checkpoints import load_checkpoint

KILLS = 50
KILLS_WHILE_SAVING = 15  # of them
EPOCHS = 4
NEVER = EPOCHS + 1, 0


@pytest.fixture
def config(tiny_config, tmp_path) -> Path:
    """Views of 32 pixels, 4 epochs of 3 steps, and no settings that the runner does not know."""
    known = inspect.signature(Runner).parameters
    tiny_config = Config({name: value for name, value in tiny_config.items() if name in known})
    make_small(tiny_config.train_dataloader.dataset.pipeline)
    tiny_config.train_dataloader.batch_size = 8
    tiny_config.train_dataloader.dataset.cache = str(tmp_path / 'index')
    tiny_config.train_cfg.max_epochs = EPOCHS
    tiny_config.visualizer.vis_backends = [dict(type='LocalVisBackend')]  # TensorBoard's thread survives no fork
    del tiny_config.default_hooks.run_record
    tiny_config.resume = True
    tiny_config.dump(tmp_path / 'tiny.py')
    return tmp_path / 'tiny.py'


def make_small(settings: Any) -> None:
    """Give every transform views of 32 pixels instead of 96."""
    if isinstance(settings, ConfigDict):
        settings.update({name: 32 for name, value in settings.items() if value == 96})
        settings = list(settings.values())
    if isinstance(settings, list):
        for value in settings:
            make_small(value)


def forget(work_dir: Path) -> None:
    """Let the next run begin anew; its logs go on."""
    for path in (*work_dir.glob('*.pth'), work_dir / 'last_checkpoint'):
        path.unlink()


def leaves(value: Any) -> list:
    """All values of a checkpoint's dicts and lists, in order."""
    if isinstance(value, dict):
        value = list(value.items())
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list | tuple) else [value]


def is_same(one: Path, other: Path) -> bool:
    """Whether two checkpoints hold the same weights, teacher, queue, optimizer and schedules, bit for bit."""
    state, expected = (
        leaves([load_checkpoint(path)[key] for key in ('state_dict', 'optimizer', 'param_schedulers')])
        for path in (one, other)
    )
    return len(state) == len(expected) and all(
        torch.equal(a, b) if isinstance(b, torch.Tensor) else a == b for a, b in zip(state, expected, strict=True)
    )


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_never_was(config, tmp_path, repo):
    work_dir, last, undisturbed = tmp_path / 'work', f'epoch_{EPOCHS}.pth', tmp_path / 'undisturbed.pth'
    starter = subprocess.Popen(
        [sys.executable, Path(__file__).with_name('runs_to_kill.py'), config],
        env=dict(os.environ, PYTHONPATH=str(repo), OMP_NUM_THREADS='1'),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def exit_code(saves: int, seconds: float) -> int:
        """Start or go on with the run until so many seconds after so many saves have begun."""
        print(saves, seconds, file=starter.stdin, flush=True)
        while not (answer := starter.stdout.readline().strip()).lstrip('-').isdigit():  # what libraries print
            assert starter.poll() is None
        assert int(answer) in (0, -signal.SIGKILL), (tmp_path / 'work.txt').read_text()[-3000:]
        return int(answer)

    exit_code(0, 0)  # answered when everything is built
    began = time.monotonic()
    assert exit_code(*NEVER) == 0
    epoch = (time.monotonic() - began) / EPOCHS
    (work_dir / last).replace(undisturbed)
    forget(work_dir)

    generator = np.random.default_rng(0)
    killed = resumed = cut_short = ended = 0
    while killed < KILLS:
        saving = killed < KILLS_WHILE_SAVING
        saves = generator.integers(1, 4) if saving else generator.integers(0, 3)
        if exit_code(saves, generator.uniform(0, 0.02 if saving else epoch)) == 0:
            assert is_same(work_dir / last, undisturbed)
            forget(work_dir)
            ended += 1
        else:
            killed += 1
            cut_short += saving and bool(list(work_dir.glob('.*.unfinished')))
            resumed += bool(list(work_dir.glob('epoch_*.pth')))
    assert exit_code(*NEVER) == 0
    assert is_same(work_dir / last, undisturbed)
    assert sorted(path.name for path in work_dir.glob('*.pth')) == [f'epoch_{EPOCHS - 1}.pth', last]
    assert not list(work_dir.glob('.*'))
    assert min(cut_short, resumed, ended) > 0, 'kills were to come within saves, after saves, and in whole runs'
    print(f'{killed} kills, {cut_short} within a save, {resumed} with something to resume from, {ended + 1} runs')
    starter.stdin.close()
    assert starter.wait() == 0
