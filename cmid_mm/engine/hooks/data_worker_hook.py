"""Name the file at which a data worker died."""

import re
import signal
import threading
from functools import partial
from types import FrameType

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info
from torch.utils.data._utils.signal_handling import _set_SIGCHLD_handler

from cmid_mm.engine.data_workers import at_worker_start, end_with_parent

_PROCESS, _SAMPLE = 0, 1
_DEAD = re.compile(r'DataLoader worker \(pid (\d+)\) ([^.]+)')  # torch's message


class DataWorkerError(RuntimeError):
    """A data worker died; the message says how, and which file it began to read last."""


@HOOKS.register_module()
class DataWorkerHook(Hook):
    """Say how a data worker died, and at which file; let none outlive its process.

    A file may end the process that decodes it (a bug of a decoder, more memory than there is), and torch then names the
    process alone. Here each worker notes in shared memory which sample it begins to read.

    Names nothing for data sets without ``get_data_info``, nor outside the main thread, where Python allows no handler
    of signals.

    Raises:
        DataWorkerError: At once, in the middle of an iteration.
    """

    def before_train(self, runner: Runner) -> None:
        """Let workers write down what they read, and listen to their end."""
        self._torch_handler = None
        loader = runner.train_dataloader
        if loader.num_workers:
            at_worker_start(loader, end_with_parent)
        main_thread = threading.current_thread() is threading.main_thread()
        if loader.num_workers == 0 or not hasattr(loader.dataset, 'get_data_info') or not main_thread:
            return
        self._dataset: Dataset = loader.dataset
        self._notes = torch.full((loader.num_workers, 2), -1).share_memory_()
        at_worker_start(loader, partial(_note_samples, self._notes))
        _set_SIGCHLD_handler()  # torch does so once in a process, and would cover a handler that is there already
        self._torch_handler = signal.signal(signal.SIGCHLD, self._on_end_of_child)

    def after_train(self, runner: Runner) -> None:
        """Leave the signal to torch again."""
        if self._torch_handler is not None:
            signal.signal(signal.SIGCHLD, self._torch_handler)

    def _on_end_of_child(self, number: int, frame: FrameType | None) -> None:
        try:
            self._torch_handler(number, frame)
        except RuntimeError as error:
            found = _DEAD.match(str(error))
            worker = torch.nonzero(self._notes[:, _PROCESS] == int(found[1])).flatten().tolist() if found else []
            if not worker:  # of another loader
                raise
            raise DataWorkerError(self._sentence(worker[0], found[2].strip())) from error

    def _sentence(self, worker: int, how: str) -> str:
        sample = int(self._notes[worker, _SAMPLE])
        path = self._dataset.get_data_info(sample).get('img_path') if sample >= 0 else None
        last = 'what it read last is not known' if path is None else f'the last file that it began to read is {path}'
        return (
            f'data worker {worker} {how}; {last}: repair or remove the file if it is the cause, look at the memory '
            'of the machine if the worker was killed, and go on with --resume'
        )


def _note_samples(notes: Tensor, worker: int) -> None:
    """In a worker: write down each sample before it is read, those too that replace others."""
    info = get_worker_info()
    own = notes[worker].numpy()
    own[_PROCESS] = torch.multiprocessing.current_process().pid
    get_data_info = info.dataset.get_data_info

    def noted(index: int) -> dict:
        own[_SAMPLE] = int(index)
        return get_data_info(index)

    info.dataset.get_data_info = noted
