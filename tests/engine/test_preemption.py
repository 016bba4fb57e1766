"""SIGTERM saves in the middle of an epoch, and the run ends as if it had not come; so does SIGTERM to one of two."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from cmid_mm.checkpoints import load_checkpoint


class SignalAt(Hook):
    """Send this process, or all that it has started too, a signal in the middle of an iteration."""

    def __init__(self, iteration: int, number: int, children: bool = False) -> None:
        self.iteration, self.number, self.children = iteration, number, children

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        if runner.iter == self.iteration:
            for worker in torch.multiprocessing.active_children() if self.children else ():
                os.kill(worker.pid, self.number)
            os.kill(os.getpid(), self.number)


@pytest.fixture(autouse=True)
def signals_as_at_the_start_of_a_program():
    """A run that an error ended, in a test before, leaves its handlers: no hook is told of an error."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def run(tiny_config, tmp_path):
    """Train 2 epochs of 6 steps in a folder."""

    def _run(name: str, hook: Hook | None = None, **changes) -> Runner:
        cfg = Config(
            dict(tiny_config._cfg_dict.to_dict(), work_dir=str(tmp_path / name), experiment_name=f'{name} {hook}')
        )
        cfg.merge_from_dict(changes)
        runner = Runner.from_cfg(cfg)
        if hook is not None:
            runner.register_hook(hook)
        runner.train()
        return runner

    return _run


def same_weights(one: Runner, other: Runner) -> bool:
    return all(torch.equal(value, other.model.state_dict()[name]) for name, value in one.model.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize(
    ('number', 'at', 'changes'),
    [
        (signal.SIGTERM, 2, {}),
        (signal.SIGUSR1, 5, {'optim_wrapper.accumulative_counts': 2}),
        (signal.SIGTERM, 8, {'train_dataloader.num_workers': 2}),
    ],
    ids=['within-epoch-1', 'end-of-epoch-1', 'within-epoch-2-and-to-workers'],
)
def test_a_run_that_was_asked_to_leave_goes_on_as_if_it_had_not(run, tmp_path, number, at, changes):
    whole = run('whole', **changes)
    with pytest.raises(SystemExit) as leaving:
        run('work', SignalAt(at, number, children=True), **changes)
    assert leaving.value.code == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL
    assert (tmp_path / 'work/last_checkpoint').read_text() == str(tmp_path / f'work/iter_{at + 1}.pth')
    resumed = run('work', resume=True, **changes)
    assert same_weights(whole, resumed)
    before = 'epoch_1.pth' if at < 6 else f'iter_{at + 1}.pth'
    assert {path.name for path in tmp_path.glob('work/*.pth')} == {before, 'epoch_2.pth'}


@pytest.mark.slow
def test_without_exact_resuming_a_run_leaves_with_what_it_saved_last(run, tiny_config, tmp_path):
    tiny_config.custom_hooks = [hook for hook in tiny_config.custom_hooks if hook.type != 'ExactResumeHook']
    with pytest.raises(SystemExit) as leaving:
        run('work', SignalAt(8, signal.SIGTERM))
    assert leaving.value.code == 143
    assert [path.name for path in tmp_path.glob('work/*.pth')] == ['epoch_1.pth']


class Fail(Hook):
    """An error in the middle of a run."""

    def after_train_iter(self, runner: Runner, **kwargs) -> None:
        raise ArithmeticError


@pytest.mark.slow
def test_after_an_error_the_signal_is_what_it_was_before(run):
    received = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        with pytest.raises(ArithmeticError):
            run('work', Fail())
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.slow
def test_the_queues_of_swav_are_in_the_checkpoint(tiny_rival, tmp_path):
    cfg = tiny_rival('swav_r18', 3, param_scheduler=[])
    runner = Runner.from_cfg(cfg)
    runner.register_hook(SignalAt(14, signal.SIGTERM))
    with pytest.raises(SystemExit):
        runner.train()
    queue = runner.model.head.loss_module.queue
    assert torch.equal(load_checkpoint(tmp_path / 'work/iter_15.pth')['swav_queues'], queue[None])


HOOKS = '''
import os
import signal
from pathlib import Path
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class SignalOnce(Hook):
    """Send a signal to process 1 in the third iteration, unless that was done in an earlier start."""

    def __init__(self, number):
        self.number = number

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        done = Path(runner.work_dir) / 'signalled'
        if get_rank() == 1 and runner.iter == 2 and not done.exists():
            done.touch()
            os.kill(os.getpid(), self.number)
'''


@pytest.fixture
def launched(tiny_config, tmp_path, repo):
    """Train in two processes by tools/dist_train.sh, with a signal to one of them."""

    def _launched(number: int, restarts: int) -> subprocess.CompletedProcess:
        (tmp_path / 'signal_once.py').write_text(HOOKS)
        tiny_config.custom_imports.imports.append('signal_once')
        tiny_config.custom_hooks.append(dict(type='SignalOnce', number=int(number)))
        tiny_config.train_dataloader.batch_size = 2
        tiny_config.dump(tmp_path / 'tiny.py')
        path = os.pathsep.join([str(repo), str(tmp_path), os.environ.get('PYTHONPATH', '')])
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        more = dict(OMP_NUM_THREADS='1', PYTHONPATH=path, PYTHON=sys.executable, MAX_RESTARTS=str(restarts))
        return subprocess.run(
            [repo / 'tools/dist_train.sh', tmp_path / 'tiny.py', '2', '--resume', 'auto'],
            env=dict(os.environ, PORT=str(port), **more),
            capture_output=True,
            text=True,
            check=False,
            timeout=900,  # processes that wait for each other for ever are a failure too
        )

    return _launched


@pytest.mark.slow
def test_torchrun_goes_on_after_one_of_two_processes_was_asked_to_leave(launched, tmp_path):
    run = launched(signal.SIGTERM, 1)
    assert run.returncode == 0, run.stderr[-3000:]
    # Every fifth iteration the processes ask each other.
    assert re.search(r'SIGTERM: saved \S+/iter_5\.pth; exit code 143, go on with --resume', run.stderr + run.stdout)
    assert 'resumed epoch: 0, iter: 5' in run.stderr + run.stdout
    assert load_checkpoint(tmp_path / 'work/epoch_2.pth')['meta']['iter'] == 12


@pytest.mark.slow
def test_the_loss_of_one_of_two_processes_ends_both_with_the_reason(launched, tmp_path):
    run = launched(signal.SIGKILL, 0)
    assert run.returncode != 0
    assert re.search(
        r'train: another process of this run was lost \(.*\), so process 0 ends too; .* --resume', run.stderr
    )
    assert re.search(r'rank\s*: 1 .*\n.*exitcode\s*: -9 ', run.stderr)
    assert not list(tmp_path.glob('work/*.pth'))
