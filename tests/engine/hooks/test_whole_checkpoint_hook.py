"""Checkpoints of whole runs of a very small network: kept, resumed from, refused, and the disk full."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from cmid_mm.checkpoints import CheckpointError, load_checkpoint
from cmid_mm.datasets.samplers import EpochSampler, GlobalBatchSampler

SCORES = [0.1, 0.5, 0.9, 0.2, 0.3, 0.4, 0.2]
RUN = count()  # two runs of one second and one name would share a log


class Line(BaseModel):
    """Fits y = 3x; its dropout draws random numbers."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(1, width), nn.Dropout(0.2), nn.Linear(width, 1))

    def forward(self, x: torch.Tensor, y: torch.Tensor, mode: str) -> dict | list:
        error = (self.layers(x) - y).square().mean()
        return dict(loss=error) if mode == 'loss' else [error]


class Points(torch.utils.data.Dataset):
    """Sixteen points of the line."""

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        x = torch.tensor([int(index) / 16])
        return dict(x=x, y=3 * x)


class ScoreOfEpoch(BaseMetric):
    """A given score for each epoch, as a validation would find it."""

    scores = iter(())

    def process(self, data_batch: dict, data_samples: list) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict[str, float]:
        return dict(score=next(self.scores))


class GiveScore(Hook):
    """A score in the message hub after each epoch, as an online evaluation writes it."""

    def after_train_epoch(self, runner: Runner) -> None:
        runner.message_hub.update_scalar('knn/teacher', SCORES[runner.epoch])


@pytest.fixture
def train(tmp_path) -> Callable[..., Runner]:
    """Train 4 steps an epoch in ``tmp_path / name``; ``checkpoint`` are arguments of the hook."""

    def _train(name: str, epochs: int = 3, checkpoint: dict | None = None, hooks: list | None = None, **more) -> Runner:
        dataset = Points()
        batches = GlobalBatchSampler(EpochSampler(dataset, seed=0), batch_size=4)
        runner = Runner(
            model=more.pop('model', Line()),
            work_dir=str(tmp_path / name),
            experiment_name=f'{name} {next(RUN)}',
            train_dataloader=torch.utils.data.DataLoader(dataset, batch_sampler=batches),
            train_cfg=dict(by_epoch=True, max_epochs=epochs, **more.pop('train_cfg', {})),
            optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
            default_hooks=dict(checkpoint=dict(type='WholeCheckpointHook', interval=1, **(checkpoint or {}))),
            custom_hooks=[dict(type='ExactResumeHook'), *(hooks or [])],
            randomness=dict(seed=0),
            cfg=Config(more.pop('cfg', dict(model=dict(type='Line', width=4)))),
            **more,
        )
        runner.train()
        return runner

    return _train


def checkpoints(folder: Path) -> set[str]:
    return {path.name for path in folder.glob('*.pth')}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def log(folder: Path) -> str:
    return '\n'.join(path.read_text() for path in sorted(folder.glob('*/*.log')))


def same_weights(one: Runner, other: Runner) -> bool:
    return all(torch.equal(value, other.model.state_dict()[name]) for name, value in one.model.state_dict().items())


def test_the_last_the_regular_and_the_best_are_kept(train, tmp_path):
    policy = dict(max_keep_ckpts=2, keep_every=5, keep_best='knn/teacher')
    train('work', epochs=7, checkpoint=policy, hooks=[GiveScore()])
    assert checkpoints(tmp_path / 'work') == {'epoch_3.pth', 'epoch_5.pth', 'epoch_6.pth', 'epoch_7.pth'}
    assert (tmp_path / 'work/last_checkpoint').read_text() == str(tmp_path / 'work/epoch_7.pth')
    assert (tmp_path / 'work/best_checkpoint').read_text() == str(tmp_path / 'work/epoch_3.pth')


def test_a_resumed_run_keeps_what_the_run_before_it_would_have_kept(train, tmp_path):
    policy = dict(max_keep_ckpts=1, keep_every=4, keep_best='knn/teacher')
    train('work', epochs=4, checkpoint=policy, hooks=[GiveScore()])
    (tmp_path / 'work/.epoch_9.pth.4711.unfinished').write_text('of a killed run')
    train('work', epochs=6, checkpoint=policy, hooks=[GiveScore()], resume=True)
    assert checkpoints(tmp_path / 'work') == {'epoch_3.pth', 'epoch_4.pth', 'epoch_6.pth'}
    assert not list(tmp_path.glob('work/.*'))


def test_files_of_another_run_are_left_alone(train, tmp_path):
    train('first', epochs=3)
    train('second', epochs=2)
    resumed = dict(resume=True, load_from=str(tmp_path / 'first/epoch_2.pth'))
    train('second', epochs=4, checkpoint=dict(max_keep_ckpts=1), **resumed)
    assert checkpoints(tmp_path / 'first') == {'epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth'}
    assert checkpoints(tmp_path / 'second') == {'epoch_1.pth', 'epoch_2.pth', 'epoch_4.pth'}


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(train, tmp_path):
    whole = train('whole', epochs=5)
    train('work', epochs=3)
    cut(tmp_path / 'work/epoch_3.pth')
    resumed = train('work', epochs=5, resume=True)
    assert f'passed over: {tmp_path}/work/epoch_3.pth is damaged' in log(tmp_path / 'work')
    assert 'resumed epoch: 2, iter: 8' in log(tmp_path / 'work')
    assert same_weights(whole, resumed)
    load_checkpoint(tmp_path / 'work/epoch_3.pth')  # written again


def test_nothing_to_resume_from_begins_anew_and_nothing_whole_does_not(train, tmp_path):
    runner = train('work', epochs=1, resume=True)
    assert runner.iter == 4
    assert 'has no checkpoint to resume from: the run begins anew' in log(tmp_path / 'work')
    cut(tmp_path / 'work/epoch_1.pth')
    with pytest.raises(CheckpointError, match=r'none of the 1 checkpoints in .* is whole'):
        train('work', epochs=2, resume=True)


def test_a_checkpoint_that_is_named_is_taken_or_refused(train, tmp_path):
    train('work')
    cut(tmp_path / 'work/epoch_2.pth')
    with pytest.raises(CheckpointError, match=r'epoch_2\.pth is damaged, most likely cut short'):
        train('work', resume=True, load_from=str(tmp_path / 'work/epoch_2.pth'))
    weights = load_checkpoint(tmp_path / 'work/epoch_3.pth')
    del weights['optimizer']
    torch.save(weights, tmp_path / 'weights.pth')
    with pytest.raises(CheckpointError, match=r'weights\.pth holds weights alone'):
        train('work', resume=True, load_from=str(tmp_path / 'weights.pth'))
    train('other', load_from=str(tmp_path / 'weights.pth'))


def test_a_checkpoint_of_another_config_is_refused(train, tmp_path):
    train('work', cfg=dict(model=dict(type='Line', width=8)), model=Line(8))
    with pytest.raises(CheckpointError, match=r'epoch_3\.pth was written by another config: model\.width is 8 there'):
        train('work', epochs=4, resume=True)
    train('work', epochs=4, resume=True, model=Line(8), checkpoint=dict(same=()))


def test_text_in_a_checkpoint_is_not_run(train, tmp_path):
    train('work', epochs=1)
    checkpoint = load_checkpoint(tmp_path / 'work/epoch_1.pth')
    checkpoint['meta']['config'] = f'open({str(tmp_path / "sprung")!r}, "w")'
    torch.save(checkpoint, tmp_path / 'work/epoch_1.pth')
    assert train('work', epochs=2, resume=True).epoch == 2
    assert not (tmp_path / 'sprung').exists()


def test_the_best_of_a_validation_loop_is_replaced_by_a_better_one(train, tmp_path):
    ScoreOfEpoch.scores = iter(SCORES)
    validation = dict(
        val_dataloader=torch.utils.data.DataLoader(Points(), batch_size=16),
        val_cfg=dict(),
        val_evaluator=Evaluator([ScoreOfEpoch()]),
        train_cfg=dict(val_interval=1),
    )
    train('work', epochs=4, checkpoint=dict(max_keep_ckpts=1, save_best='score', rule='greater'), **validation)
    assert checkpoints(tmp_path / 'work') == {'best_score_epoch_3.pth', 'epoch_4.pth'}


@pytest.mark.slow
def test_a_full_disk_ends_the_run_with_a_sentence_and_leaves_what_was_there(tiny_config, tmp_path, repo):
    """On a file system that only this process sees, and that holds one checkpoint and a half."""
    unshare = ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-ec']
    if not shutil.which('unshare') or subprocess.run([*unshare, 'true'], check=False, capture_output=True).returncode:
        pytest.skip('this system lets no user mount a file system of its own')
    tiny_config.dump(tmp_path / 'tiny.py')
    work_dir = tmp_path / 'small disk'
    work_dir.mkdir()
    script = """
        mount -t tmpfs -o size=$3 tmpfs "$2"
        "$0" "$1/tools/train.py" tiny.py --work-dir "$2" || true
        ls -A "$2"
        "$0" -c "import sys, torch; torch.load(sys.argv[1] + '/epoch_1.pth', weights_only=False)" "$2"
    """
    run = subprocess.run(
        [*unshare, script, sys.executable, repo, work_dir, '13m'],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(repo)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'Traceback' not in run.stderr
    assert re.search(
        r'train: \S+ disk/epoch_2\.pth of \d+ bytes could not be written \(No space left on device\); the checkpoints '
        r'before it are whole: make room, and go on with --resume \[cmid_mm/\S+\]\n',
        run.stderr,
    )
    names = run.stdout.splitlines()
    assert 'epoch_1.pth' in names
    assert not [name for name in names if 'epoch_2' in name]


@pytest.mark.parametrize('arguments', [dict(keep_every=0), dict(backend_args=dict(backend='local'))])
def test_wrong_arguments_are_refused(train, arguments):
    with pytest.raises((ValueError, TypeError)):
        train('work', checkpoint=arguments)
