"""The scalars of a run are what they say, are written when losses are, and change nothing."""

import json
import math
from itertools import count
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from mmpretrain.models.utils import CosineEMA
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from cmid_mm.engine.hooks.monitor_hook import _kept_share, pool_features
from cmid_mm.models.losses import CenteredDistillationLoss, InfoNCELoss
from cmid_mm.models.utils import KeyQueue, cosine_momentum

OF_ANY = {'backbone_std', 'backbone_rank', 'gradient_norm', 'data_share', 'skipped_images'}
OF_CMID = {
    'query_std',
    'query_rank',
    'key_std',
    'key_rank',
    'positive_similarity',
    'negative_similarity',
    'cell_entropy',
    'prototype_entropy',
    'prototypes_used',
    'teacher_temperature',
    'teacher_momentum',
    'queue_age_oldest',
    'queue_age_mean',
    'queue_filled',
}
RUN = count()  # two runs of one second and one name would share a log


def run(cfg: Config, hooks: list[Hook] = (), **changes) -> Runner:
    cfg = Config(cfg._cfg_dict.to_dict())
    cfg.merge_from_dict(changes)
    cfg.update(experiment_name=f'monitored {next(RUN)}', work_dir=f'{cfg.work_dir}/{next(RUN)}')
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def written(runner: Runner) -> list[dict]:
    """The lines of ``scalars.json``."""
    (path,) = Path(runner.work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def history(runner: Runner, name: str) -> list[float]:
    return runner.message_hub.get_scalar(f'train/{name}').data[0].tolist()


def test_training_is_the_same_without_it(tiny_config):
    watched = run(tiny_config)
    for name in ('monitor', 'health', 'non_finite'):
        del tiny_config.default_hooks[name]
    alone = run(tiny_config)
    assert history(watched, 'loss') == history(alone, 'loss')
    for name, value in alone.model.state_dict().items():
        assert torch.equal(watched.model.state_dict()[name], value), name
    assert not OF_ANY & written(alone)[0].keys()


def test_every_backend_has_the_scalars_of_the_logged_iterations_alone(tiny_config):
    runner = run(tiny_config, **{'default_hooks.logger.interval': 3, 'log_processor.window_size': 3})
    lines = written(runner)
    assert [line['step'] for line in lines] == [3, 6, 9, 12]
    for line in lines:
        assert line.keys() >= OF_ANY | OF_CMID
        assert all(math.isfinite(line[name]) for name in OF_ANY | OF_CMID)
    assert len(history(runner, 'backbone_std')) == 4
    assert lines[0]['skipped_images'] == 0
    assert 0 < lines[0]['data_share'] < 1
    # A queue of 32 keys and 8 a step is full after four.
    assert [line['queue_filled'] for line in lines] == [0.75, 1, 1, 1]
    assert [line['queue_age_oldest'] for line in lines] == [2, 3, 3, 3]
    assert [line['teacher_momentum'] for line in lines] == [
        pytest.approx(cosine_momentum(step - 1, 12, 0.996)) for step in (3, 6, 9, 12)
    ]
    assert 1 < lines[0]['backbone_rank'] <= 3

    events = EventAccumulator(str(next(Path(runner.work_dir).glob('*/vis_data'))))
    events.Reload()
    assert set(events.Tags()['scalars']) >= OF_ANY | OF_CMID
    assert [event.step for event in events.Scalars('query_rank')] == [3, 6, 9, 12]


@pytest.mark.parametrize('accumulation', [1, 2])
def test_the_gradient_s_norm_is_that_of_the_last_optimizer_step(tiny_config, accumulation):
    runner = run(
        tiny_config,
        **{
            'optim_wrapper.clip_grad': dict(max_norm=1e9),  # mmengine then records the norm of every step
            'optim_wrapper.accumulative_counts': accumulation,
            'default_hooks.logger.interval': 3,
            'default_hooks.checkpoint.interval': 2,
        },
    )
    every = history(runner, 'grad_norm')
    assert len(every) == 12 // accumulation
    expected = [every[step // accumulation - 1] for step in (3, 6, 9, 12)]
    assert history(runner, 'gradient_norm') == pytest.approx(expected)


@pytest.mark.slow
def test_networks_that_are_compiled_tell_everything_but_their_features(tiny_config):
    tiny_config.param_scheduler = []
    runner = run(tiny_config, **{'model.compile_networks': dict(backend='aot_eager'), 'train_cfg.max_epochs': 1})
    told = written(runner)[-1].keys()
    assert told >= OF_CMID | OF_ANY - {'backbone_std', 'backbone_rank'}
    assert 'backbone_std' not in told
    assert 'backbone_std and backbone_rank are left out' in next(Path(runner.work_dir).glob('*/*.log')).read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'more'),
    [
        ('byol_r18', {'teacher_momentum'}),
        ('mocov2_r18', {'teacher_momentum'}),
        ('swav_r18', set()),
        ('mae_vit-t', set()),
        ('simmim_swin-t', set()),
        ('spark_r18', set()),
    ],
)
def test_methods_of_mmpretrain_tell_what_any_method_has(name, more, tiny_rival):
    cfg = tiny_rival(name, 1, param_scheduler=[])
    line = written(run(cfg, **{'default_hooks.logger.interval': 3}))[-1]
    assert line.keys() >= OF_ANY | more
    assert all(math.isfinite(line[key]) for key in OF_ANY | more)
    assert line['backbone_std'] > 0


@given(size=st.integers(1, 50), per_step=st.integers(1, 20), steps=st.integers(1, 12))
def test_the_ages_are_those_of_the_keys(size, per_step, steps):
    queue = KeyQueue(1, size)
    for step in range(steps):
        queue.enter(torch.full((per_step, 1), float(step)))
    entered = [step for step in range(steps) for _ in range(per_step)][-size:]
    ages = [steps - 1 - step for step in entered]
    expected = (max(ages), sum(ages) / len(ages), len(ages) / size)
    assert queue.ages(steps) == pytest.approx(expected)


def test_similarities_are_those_of_all_pairs():
    query, key, queue = (nn.functional.normalize(torch.randn(n, 8), dim=1) for n in (6, 6, 20))
    told = InfoNCELoss().statistics(query, key, queue.T)
    assert float(told['positive_similarity']) == pytest.approx(float((query @ key.T).diag().mean()), abs=1e-6)
    assert float(told['negative_similarity']) == pytest.approx(float((query @ queue.T).mean()), abs=1e-6)


def test_prototypes_are_counted_and_entropies_are_in_nats():
    loss = CenteredDistillationLoss(num_prototypes=8, warmup_temperature=0.01)
    sharp = torch.nn.functional.one_hot(torch.tensor([[0, 1], [2, 2]]), 8).float()
    told = loss.statistics(sharp, sharp)
    assert float(told['prototypes_used']) == 3
    assert float(told['cell_entropy']) == pytest.approx(0, abs=1e-4)
    shares = [0.25, 0.25, 0.5]
    assert float(told['prototype_entropy']) == pytest.approx(-sum(s * math.log(s) for s in shares), abs=1e-4)
    assert told['teacher_temperature'] == 0.01
    uniform = loss.statistics(sharp, torch.zeros(2, 3, 8))
    assert float(uniform['cell_entropy']) == pytest.approx(math.log(8))


def test_an_average_tells_how_much_it_kept():
    student = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(student.weight)
    MessageHub.get_instance('averaging')
    MessageHub.get_current_instance().update_info('max_iters', 10)
    teacher = CosineEMA(student, momentum=0.2, end_momentum=0.1)
    nn.init.ones_(student.weight)
    kept = 1.0  # the first update copies
    teacher.update_parameters(student)
    nn.init.zeros_(student.weight)
    for _ in range(5):
        teacher.update_parameters(student)
        kept *= _kept_share(teacher, 10)
        assert float(teacher.module.weight) == pytest.approx(kept)


@pytest.mark.parametrize(
    ('output', 'picked'),
    [
        (lambda x: x, 'map'),
        (lambda x: (x[..., :1, :1] * 0, x), 'map'),
        (lambda x: [x], 'map'),
        (lambda x: (x.flatten(2).transpose(1, 2), torch.ones(2, 12), torch.ones(2, 12)), 'tokens beside a mask'),
        (lambda x: x.mean(dim=(2, 3)), 'vectors'),
    ],
)
def test_features_are_pooled_from_what_any_backbone_gives(output, picked):
    maps = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(pool_features(output(maps)), maps.mean(dim=(2, 3)))
