"""A loss that is not finite is named with its files; the run stops, or the batch leaves no trace."""

import copy
import json
import math
import os
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from cmid_mm.engine.hooks import NonFiniteHook

TWO = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone']
RUN = count()  # two runs of one second and one name would share a log


@HOOKS.register_module(force=True)
class Spoil(Hook):
    """Make the losses of some iterations NaN, and keep all state before and after each of them."""

    priority = 'LOWEST'

    def __init__(self, at: tuple[int, ...]) -> None:
        self.at = at
        self.before, self.after = {}, {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter in self.at:
            self.before[runner.iter] = _state(runner)
            data_batch['inputs'] = [view * math.nan for view in data_batch['inputs']]

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter in self.at:
            self.after[runner.iter] = _state(runner)


def _state(runner: Runner) -> dict:
    return copy.deepcopy(dict(model=runner.model.state_dict(), optimizer=runner.optim_wrapper.state_dict()))


def _assert_equal(left, right) -> None:
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            _assert_equal(left[key], right[key])
    elif isinstance(left, list):
        for ours, theirs in zip(left, right, strict=True):
            _assert_equal(ours, theirs)
    elif isinstance(left, torch.Tensor):
        assert torch.equal(left, right)
    else:
        assert left == right


def start(cfg: Config, at: tuple[int, ...], **changes) -> tuple[Runner, Spoil]:
    cfg = Config(cfg._cfg_dict.to_dict())
    cfg.merge_from_dict(changes)
    cfg.update(experiment_name=f'spoilt {next(RUN)}', param_scheduler=[])
    runner = Runner.from_cfg(cfg)
    spoil = Spoil(at)
    runner.register_hook(spoil, priority='LOWEST')
    return runner, spoil


def test_a_run_stops_and_names_the_term_and_the_files(tiny_config, image_folder):
    runner, _ = start(tiny_config, (2,))
    with pytest.raises(FloatingPointError, match=r'iteration 3: loss_spatial is nan .* batch of 4 images') as caught:
        runner.train()
    (path,) = Path(runner.work_dir).glob('non_finite/*.json')
    assert str(path) in str(caught.value)
    assert "set action of NonFiniteHook to 'skip'" in str(caught.value)
    dump = json.loads(path.read_text())
    assert dump['iteration'] == 3
    assert dump['losses']['loss_spatial'] == 'nan'
    assert len(dump['files']) == 4
    assert all(Path(file).is_file() for file in dump['files'])
    assert math.isfinite(dump['last_scalars']['train/loss'])
    assert 'MaskedResNet' in dump['config']
    assert path.stat().st_size < 100_000


def test_a_skipped_batch_leaves_no_trace(tiny_config):
    runner, spoil = start(tiny_config, (2, 7), **{'default_hooks.non_finite.action': 'skip'})
    runner.train()
    for at in (2, 7):
        _assert_equal(spoil.before[at], spoil.after[at])
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 10
    assert all(math.isfinite(loss) for loss in losses)
    assert int(runner.model.teacher_step) == 10
    assert len(list(Path(runner.work_dir).glob('non_finite/*.json'))) == 2
    log = next(Path(runner.work_dir).glob('*/*.log')).read_text()
    assert 'the batch is skipped, number 2 of at most 10' in log


@pytest.mark.slow
def test_without_a_bad_batch_skipping_changes_nothing(tiny_config):
    states = []
    for action in ('stop', 'skip'):
        runner, _ = start(tiny_config, (), **{'default_hooks.non_finite.action': action, 'train_cfg.max_epochs': 1})
        runner.train()
        states.append(_state(runner))
    _assert_equal(*states)


def test_of_an_accumulated_update_all_batches_are_left_out(tiny_config):
    runner, spoil = start(
        tiny_config,
        (2, 5),
        **{
            'default_hooks.non_finite.action': 'skip',
            'optim_wrapper.accumulative_counts': 2,
            'default_hooks.checkpoint.interval': 2,
        },
    )
    runner.train()
    assert int(runner.model.teacher_step) == 4
    # Iteration 5 is the last of its update, which iteration 4 had a part in.
    _assert_equal(spoil.before[5], spoil.after[5])
    assert all(torch.isfinite(value).all() for value in runner.model.state_dict().values())


def test_more_than_max_skips_stop_a_run_even_if_it_is_resumed(tiny_config):
    skip = {'default_hooks.non_finite': dict(action='skip', max_skips=2)}
    runner, _ = start(tiny_config, (1, 3), **skip, **{'train_cfg.max_epochs': 1})
    runner.train()
    resumed, _ = start(tiny_config, (8,), **skip, resume=True, load_from=f'{runner.work_dir}/epoch_1.pth')
    with pytest.raises(FloatingPointError, match=r'iteration 9: .* 2 batches were skipped before'):
        resumed.train()


@pytest.mark.slow
@pytest.mark.parametrize('method', ['byol', 'mocov2', 'swav'])
def test_methods_of_mmpretrain_skip_as_well(method, tiny_rival):
    cfg = tiny_rival(f'{method}_r18', 2)
    runner, spoil = start(cfg, (8,), **{'default_hooks.non_finite.action': 'skip'})
    queue = []
    if method == 'swav':

        class KeepQueue(Hook):
            def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
                queue.append(runner.model.head.loss_module.queue)
                queue[-1] = None if queue[-1] is None else queue[-1].clone()

        runner.register_hook(KeepQueue(), priority='LOWEST')
    runner.train()
    _assert_equal(spoil.before[8], spoil.after[8])
    if queue:
        assert torch.equal(queue[8], queue[7])
        assert not torch.equal(queue[9], queue[8])


WORKER = '''
import sys, math
import torch
from mmengine.dist import get_rank
from mmengine.model import BaseModel
from mmengine.runner import Runner
import cmid_mm
from cmid_mm.engine import cpu_processes  # registers the wrapper
from cmid_mm.engine.hooks import NonFiniteHook


class OneIsBad(BaseModel):
    """The second of two processes has a bad loss in the third iteration."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))
        self.calls = 0

    def forward(self, inputs, mode='loss'):
        self.calls += 1
        bad = self.calls == 3 and get_rank() == 1
        return dict(loss=(self.weight * (math.nan if bad else 1 + get_rank())).sum())


torch.distributed.init_process_group('gloo')
runner = Runner(
    model=OneIsBad(), work_dir=sys.argv[1], launcher='pytorch',
    cfg=dict(model_wrapper_cfg=dict(type='CPUDistributedDataParallel', broadcast_buffers=False)),
    train_dataloader=dict(dataset=[dict(inputs=torch.ones(1))] * 10, batch_size=1,
                          sampler=dict(type='DefaultSampler', shuffle=False)),
    train_cfg=dict(by_epoch=True, max_epochs=1), optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
    default_hooks=dict(checkpoint=None, non_finite=NonFiniteHook('skip')), default_scope='mmengine',
)
runner.train()
# Four updates of five by the average of the gradients 1 and 2.
torch.testing.assert_close(runner.model.module.weight.detach(), torch.full((2, ), 1 - 0.1 * 1.5 * 4))
'''


@pytest.mark.slow
def test_all_processes_skip_what_one_cannot_use(tmp_path):
    (tmp_path / 'worker.py').write_text(WORKER)
    run = subprocess.run(
        [*TWO, tmp_path / 'worker.py', tmp_path / 'work'],
        env=dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES=''),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert [path.name for path in tmp_path.glob('work/non_finite/*')] == ['iter_3_rank_1.json']
    assert 'the loss of another process is not finite; the batch is skipped' in run.stdout + run.stderr


@pytest.mark.parametrize('kwargs', [{'action': 'pause'}, {'max_skips': 0}])
def test_senseless_arguments(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        NonFiniteHook(**kwargs)
