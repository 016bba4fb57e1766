"""A run in trouble says so once, with the cause and the setting; a healthy one is silent."""

import math
from itertools import count
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from cmid_mm.engine.hooks import HealthHook

RUN = count()  # two runs of one second and one name would share a log


class _Told(BaseModel):
    """Its losses are those that it is told."""

    def __init__(self, losses: list[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.losses = iter(losses)

    def forward(self, inputs: list, mode: str = 'loss') -> dict:
        return {'loss': 0 * self.weight.sum() + next(self.losses)}


class _Say(Hook):
    """Records scalars as MonitorHook would."""

    priority = 'ABOVE_NORMAL'

    def __init__(self, scalars: dict[str, list[float]]) -> None:
        self.scalars = scalars

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        for name, values in self.scalars.items():
            runner.message_hub.update_scalar(f'train/{name}', values[runner.iter])


@pytest.fixture
def warnings_of(tmp_path):
    """Run iterations that are told what to record, with a log every second; return the warnings of the log file."""

    def _warnings_of(
        losses: list[float], schedule: list[dict] = (), batch: int = 16, **scalars: list[float]
    ) -> list[str]:
        runner = Runner(
            model=_Told(losses),
            work_dir=str(tmp_path / str(next(RUN))),
            train_dataloader={
                'dataset': [{'inputs': torch.ones(1)}] * (batch * len(losses)),
                'batch_size': batch,
                'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            },
            train_cfg={'by_epoch': True, 'max_epochs': 1},
            optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.25}},
            param_scheduler=list(schedule) or None,
            default_hooks={'logger': {'type': 'LoggerHook', 'interval': 2}, 'checkpoint': None},
            log_processor={'window_size': 4},
            default_scope='mmengine',
            custom_hooks=[_Say(scalars), HealthHook()],
            experiment_name=f'health {next(RUN)}',
        )
        runner.train()
        log = next(Path(runner.work_dir).glob('*/*.log')).read_text()
        return [line for line in log.splitlines() if 'in a row' in line]

    return _warnings_of


def test_collapse_is_said_once_until_it_is_over(warnings_of):
    std = [0.4] * 4 + [0.01] * 10 + [0.4] * 2 + [0.02] * 6
    said = warnings_of([1.0] * 22, backbone_std=std, teacher_momentum=[0.9] * 22)
    assert len(said) == 2
    assert 'iteration 10, 3 logs in a row: collapse: backbone_std is 0.01, under 0.05' in said[0]
    assert 'optim_wrapper.optimizer.lr (now 0.25)' in said[0]
    assert 'slow the teacher, which keeps 0.9 of itself' in said[0]
    assert 'iteration 22' in said[1]


def test_rank_counts_as_well_and_a_short_dip_does_not(warnings_of):
    assert warnings_of([1.0] * 12, query_rank=[9.0] * 4 + [1.2] * 4 + [9.0] * 4) == []
    (said,) = warnings_of([1.0] * 12, query_rank=[1.2] * 12)
    assert 'query_rank is 1.2, under 3' in said
    # Of four images, ranks are from 1 to 4.
    assert warnings_of([1.0] * 12, batch=4, query_rank=[1.2] * 12) == []


def test_divergence_is_said(warnings_of):
    (said,) = warnings_of([5.0] * 8 + [3.0, 2.0, 2.1, 2.0] + [8.0] * 16)
    assert 'divergence: the loss is 8, the mean of 4 iterations, and was 2.275' in said
    assert 'optim_wrapper.clip_grad' in said


@pytest.mark.parametrize(
    'losses',
    [
        [10 * 0.95**step for step in range(60)],
        [2 + math.sin(step) for step in range(60)],
        # BYOL's begins near zero and falls below it.
        [-4 * (1 - 0.9**step) + 0.3 * math.sin(step) for step in range(60)],
        [0.02 * math.sin(2 * step) for step in range(60)],
    ],
    ids=['falls', 'swings', 'negative', 'noise-around-zero'],
)
def test_a_healthy_loss_is_silent(losses, warnings_of):
    assert warnings_of(losses) == []


def test_losses_that_rise_in_the_warm_up_are_no_divergence(warnings_of):
    """InfoNCE begins low, against a queue of random keys, and rises while the queue fills."""
    losses = [6.0] * 8 + [11.0] * 24
    assert len(warnings_of(losses)) == 1
    assert warnings_of(losses, [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=12)]) == []


def test_starvation_names_the_workers(warnings_of):
    (said,) = warnings_of([1.0] * 12, data_share=[0.1] * 4 + [0.62] * 8)
    assert 'starvation: 62% of the time' in said
    assert 'train_dataloader.num_workers (now 0)' in said


@pytest.mark.slow
def test_a_run_that_really_collapses_is_caught_and_its_healthy_twin_is_not(tiny_config):
    """Without warm-up and at a hundred times its rate, CMID gives all images one embedding."""
    logs = []
    for rate in (4e-4, 0.3):
        tiny_config.merge_from_dict(
            {
                'optim_wrapper.optimizer.lr': rate,
                'train_cfg.max_epochs': 6,
                'train_dataloader.batch_size': 8,
                'experiment_name': f'collapse {next(RUN)}',
            }
        )
        tiny_config.param_scheduler = []
        runner = Runner.from_cfg(tiny_config)
        runner.train()
        logs.append(next(Path(runner.work_dir).glob(f'{runner.timestamp}/*.log')).read_text())
    assert 'collapse:' not in logs[0]
    assert 'collapse:' in logs[1]


@pytest.mark.parametrize('kwargs', [{'min_std': -1}, {'max_rise': math.nan}, {'patience': 0}])
def test_senseless_arguments(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        HealthHook(**kwargs)
