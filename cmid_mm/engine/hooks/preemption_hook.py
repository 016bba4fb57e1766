"""Save and leave when the machine is asked for."""

import atexit
import multiprocessing
import signal
import threading
from collections.abc import Sequence
from functools import partial
from types import FrameType

import torch
from mmengine.dist import all_reduce, barrier, get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from cmid_mm.datasets.samplers import GlobalBatchSampler
from cmid_mm.engine.data_workers import at_worker_start
from cmid_mm.engine.process_group import leave_process_group

from .exact_resume_hook import ExactResumeHook
from .whole_checkpoint_hook import WholeCheckpointHook


@HOOKS.register_module()
class PreemptionHook(Hook):
    """On SIGTERM or SIGUSR1 save after the iteration, and leave with the exit code 128 + signal (143, 138).

    torchrun starts processes again that leave with any code but 0 (``--max-restarts``), and a slurm script can tell
    from the code that the job is to be queued again; ``docs/resuming.md`` shows both. All processes leave after the
    same iteration, whichever of them got the signal, and only when the checkpoint is written.

    In the middle of an epoch a checkpoint is written where a run can go on from there exactly: with
    ``WholeCheckpointHook``, ``ExactResumeHook`` and ``GlobalBatchSampler``, as in all pretraining configs. Otherwise
    the run leaves with what it saved last.

    Data workers leave the first of these signals to their main process, because schedulers send it to all.

    Args:
        signals (Sequence[str]): Names of the signals. Defaults to SIGTERM and SIGUSR1.
        interval (int): Iterations between two questions among the processes of a distributed run whether one of them
            got a signal, rounded up to whole optimizer steps; a single process looks after each step. Defaults to 5.

    Raises:
        SystemExit: On all processes.
    """

    priority = 'LOWEST'  # after checkpoints that are due anyway

    def __init__(self, signals: Sequence[str] = ('SIGTERM', 'SIGUSR1'), interval: int = 5) -> None:
        unknown = [name for name in signals if name not in signal.Signals.__members__]
        if unknown:
            raise ValueError(f'signals of PreemptionHook: {unknown[0]!r} is no signal of this system')
        if interval < 1:
            raise ValueError(f'interval of PreemptionHook is {interval}; it must be 1 or more')
        self.signals = [signal.Signals[name] for name in signals]
        self.interval = interval
        self._previous: dict[signal.Signals, object] = {}

    def before_train(self, runner: Runner) -> None:
        """Listen, in the main thread, where alone Python allows it."""
        self._received = 0
        self._training = runner.train_loop.run.__code__
        accumulation = runner.optim_wrapper._accumulative_counts
        iterations = self.interval if get_world_size() > 1 else 1
        self._iterations = -(-iterations // accumulation) * accumulation
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._receive) for number in self.signals}
            at_worker_start(runner.train_dataloader, partial(_leave_signals_to_main, self.signals))
            atexit.register(_end_workers, runner.train_dataloader)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Save and leave if any process was asked to."""
        if (runner.iter + 1) % self._iterations:
            return
        received = torch.tensor(self._received)
        all_reduce(received, op='max')
        if received:
            self._leave(runner, signal.Signals(int(received)))

    def after_train(self, runner: Runner) -> None:
        """Listen no more."""
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        while frame is not None and frame.f_code is not self._training:
            frame = frame.f_back
        if frame is None:  # an error has ended the training, and no hook was told
            self._restore()
            signal.raise_signal(number)
        self._received = number

    def _leave(self, runner: Runner, number: signal.Signals) -> None:
        checkpoints = next((hook for hook in runner.hooks if isinstance(hook, WholeCheckpointHook)), None)
        exact = any(isinstance(hook, ExactResumeHook) for hook in runner.hooks)
        if checkpoints and exact and isinstance(runner.train_dataloader.batch_sampler, GlobalBatchSampler):
            runner.call_hook('before_preemption')
            done = f'saved {checkpoints.save_within_epoch(runner)}'
        else:
            done = 'wrote no checkpoint, as this run cannot go on exactly from the middle of an epoch'
        barrier()  # or the first process to leave would have the one that still writes killed
        runner.logger.warning(f'{number.name}: {done}; exit code {128 + number}, go on with --resume')
        runner.visualizer.close()
        self._restore()
        leave_process_group()
        raise SystemExit(128 + number)


def _leave_signals_to_main(signals: Sequence[signal.Signals], worker: int) -> None:
    """In a worker: pass over the first signal, which a whole job gets; the second is the main process's own."""
    for number in signals:
        signal.signal(number, _pass_over)


def _pass_over(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)


def _end_workers(loader: DataLoader) -> None:
    """At exit: end the workers that are left, as Python does by the one SIGTERM that they pass over."""
    if loader._iterator is not None:
        loader._iterator._shutdown_workers()
    for process in multiprocessing.active_children():
        if process.daemon:
            process.kill()
