"""A run that stops and goes on is the run that never stopped; several processes are one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from cmid_mm.checkpoints import load_checkpoint

LOSSES = ('loss_spatial', 'loss_frequency', 'loss_global', 'loss_local')


def run(cfg: Config, work_dir: Path, **changes) -> Runner:
    cfg = Config(dict(cfg._cfg_dict.to_dict(), work_dir=str(work_dir), experiment_name=work_dir.name))
    cfg.merge_from_dict(changes)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def logged(work_dir: Path) -> dict[int, tuple[float, ...]]:
    """Losses of every iteration, of all the runs in a work folder in turn."""
    rows = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            rows[row['step']] = tuple(row[name] for name in LOSSES)
    return rows


def stop_and_resume(cfg: Config, folder: Path, at: int, **changes) -> tuple[Runner, Runner]:
    whole = run(cfg, folder / 'whole', **changes)
    checkpoint = dict(by_epoch=False, interval=at, max_keep_ckpts=-1)
    # Written in the middle of a run that would go on; what comes after it is thrown away.
    run(cfg, folder / 'stopped', **changes, **{'default_hooks.checkpoint': checkpoint})
    resumed = run(cfg, folder / 'resumed', **changes, resume=True, load_from=str(folder / f'stopped/iter_{at}.pth'))
    return whole, resumed


def assert_same_run(whole: Runner, resumed: Runner, folder: Path, at: int) -> None:
    expected, found = logged(folder / 'whole'), logged(folder / 'resumed')
    assert set(found) == {step for step in expected if step > at}
    assert found == {step: expected[step] for step in found}
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name


@pytest.mark.slow
@pytest.mark.parametrize('at', [2, 6, 9], ids=['within-epoch-1', 'between-epochs', 'within-epoch-2'])
def test_resumed_is_never_stopped(tiny_config, tmp_path, at):
    runs = stop_and_resume(tiny_config, tmp_path, at)
    assert_same_run(*runs, tmp_path, at)


@pytest.mark.slow
def test_resumed_is_never_stopped_with_workers_dropout_and_accumulation(tiny_config, tmp_path):
    changes = {
        'train_dataloader.num_workers': 2,
        'train_dataloader.persistent_workers': True,
        'optim_wrapper.accumulative_counts': 2,
        'model.backbone.drop_path_rate': 0.3,
    }
    runs = stop_and_resume(tiny_config, tmp_path, 8, **changes)
    assert_same_run(*runs, tmp_path, 8)
    assert int(runs[0].model.teacher_step) == 6, 'teachers follow optimizer steps, not iterations'


@pytest.mark.slow
def test_two_runs_with_one_seed_agree_and_with_two_do_not(tiny_config, tmp_path):
    for name, seed in (('a', 1), ('b', 1), ('c', 2)):
        run(tiny_config, tmp_path / name, **{'randomness.seed': seed, 'train_cfg.max_epochs': 2})
    assert logged(tmp_path / 'a') == logged(tmp_path / 'b')
    assert logged(tmp_path / 'a') != logged(tmp_path / 'c')


def test_checkpoint_within_an_accumulation_is_refused(tiny_config, tmp_path):
    changes = {
        'optim_wrapper.accumulative_counts': 4,
        'default_hooks.checkpoint': dict(by_epoch=False, interval=3),
    }
    with pytest.raises(ValueError, match='falls between two optimizer steps'):
        run(tiny_config, tmp_path, **changes)


def test_a_model_without_teacher_is_refused(tiny_config, tmp_path):
    with pytest.raises(TypeError, match='has no teacher'):
        run(
            tiny_config,
            tmp_path,
            model=dict(
                _delete_=True,
                type='SimSiam',
                backbone=dict(type='ResNet', depth=18),
                neck=dict(type='NonLinearNeck', in_channels=512, hid_channels=8, out_channels=8, num_layers=2),
                head=dict(
                    type='LatentPredictHead',
                    loss=dict(type='CosineSimilarityLoss'),
                    predictor=dict(type='NonLinearNeck', in_channels=8, hid_channels=8, out_channels=8, num_layers=2),
                ),
            ),
        )


RECORDER = """
import json
from pathlib import Path
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class RecordLosses(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        with open(Path(runner.work_dir) / f'rank{get_rank()}.jsonl', 'a') as file:
            file.write(json.dumps({name: float(value) for name, value in outputs.items()}) + chr(10))
"""


def launch(cfg: Config, folder: Path, processes: int, repo: Path) -> tuple[torch.Tensor, dict]:
    """Run with torchrun on CPUs; give each step's losses, averaged over processes, and the final state."""
    config = folder / f'{processes}.py'
    cfg.dump(config)
    work_dir = folder / str(processes)
    command = [sys.executable, '-m', 'torch.distributed.run', f'--nproc_per_node={processes}', '--standalone']
    path = os.pathsep.join([str(repo), str(folder), os.environ.get('PYTHONPATH', '')])
    subprocess.run(
        [*command, repo / 'tools/train.py', config, '--work-dir', work_dir, '--launcher', 'pytorch'],
        check=True,
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=path),
    )
    ranks = [
        [[json.loads(line)[name] for name in LOSSES] for line in file.read_text().splitlines()]
        for file in sorted(work_dir.glob('rank*.jsonl'))
    ]
    assert len(ranks) == processes
    return torch.tensor(ranks).mean(dim=0), load_checkpoint(work_dir / 'epoch_2.pth')['state_dict']


@pytest.mark.slow
def test_two_processes_are_one(tiny_config, tmp_path, repo):
    """Without batch norm, on the same global batches: losses, queue, centre and weights agree."""
    (tmp_path / 'record_losses.py').write_text(RECORDER)
    tiny_config.custom_imports.imports.append('record_losses')
    tiny_config.custom_hooks.append(dict(type='RecordLosses'))
    tiny_config.model.backbone = dict(type='MaskedConvNeXt', arch=dict(depths=[1, 1, 1, 1], channels=[8, 16, 32, 64]))
    tiny_config.model.local_head.projector.with_norm = False
    results = {}
    for processes in (1, 2):
        tiny_config.train_dataloader.batch_size = 8 // processes
        results[processes] = launch(tiny_config, tmp_path, processes, repo)
    (losses, state), (split_losses, split_state) = results[1], results[2]
    assert losses.shape == (6, len(LOSSES))
    torch.testing.assert_close(split_losses, losses, rtol=1e-4, atol=1e-6)
    for name, value in state.items():
        torch.testing.assert_close(split_state[name], value, rtol=1e-3, atol=1e-5, msg=lambda m, n=name: f'{n}: {m}')
