"""Unreadable images: counted over all processes, listed in the work folder, and never too many."""

import os

import torch
from mmengine.dist import all_gather_object, all_reduce, broadcast_object_list, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from cmid_mm.datasets.names import printable
from cmid_mm.datasets.unreadable_list import NAME as LIST_NAME
from cmid_mm.datasets.unreadable_list import append_unreadable, read_unreadable

_EARLY_COUNT = 30
_EARLY_FACTOR = 3


@HOOKS.register_module()
class UnreadableImagesHook(Hook):
    """Lists the images that ``UnlabelledImages`` had to replace and stops a run that has too many.

    ``<work_dir>/unreadable_images.txt`` has a line for each file: path, tab, reason. A resumed run
    goes on with the list that it finds there; a new run starts a new one.

    The run stops as soon as more than ``max_fraction`` of all images of the training set are known
    to be unreadable. It stops before that if 30 or more were found since it was started or resumed
    and they make up more than three times ``max_fraction`` of the samples drawn since. In a shuffled
    order, chance gives that less than once in a million runs that stay within ``max_fraction``.

    Args:
        max_fraction (float): Share of the images that may be unreadable. Defaults to 0.01.
        interval (int): Steps between two exchanges of the processes of a distributed run; a single
            process looks at each step. Defaults to 20.

    Raises:
        RuntimeError: On all processes, if there are too many.
    """

    priority = 'NORMAL'

    def __init__(self, max_fraction: float = 0.01, interval: int = 20) -> None:
        if not 0 <= max_fraction <= 1:
            raise ValueError(f'max_fraction of UnreadableImagesHook is {max_fraction}; it must be in [0, 1]')
        if interval < 1:
            raise ValueError(f'interval of UnreadableImagesHook is {interval}; it must be 1 or more')
        self.max_fraction = max_fraction
        self.interval = interval
        self.known: dict[str, str] = {}  # path -> reason, the same on all processes
        self._new: dict[str, str] = {}  # found by this process since the last exchange
        # Since this start of the run: a list that was read may be ahead of the checkpoint resumed from.
        self._first_iter = self._drawn = self._found = 0

    def before_train(self, runner: Runner) -> None:
        """Read the list of the run that is resumed, or remove that of an earlier run."""
        self._path = os.path.join(runner.work_dir, LIST_NAME)
        self.known, self._new = {}, {}
        self._first_iter, self._drawn, self._found = runner.iter, 0, 0
        if get_rank() == 0 and os.path.exists(self._path):
            if runner.iter > 0:
                self.known = read_unreadable(self._path)
            else:
                os.unlink(self._path)
        shared = [self.known]
        broadcast_object_list(shared)
        self.known = shared[0]

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict, outputs: dict | None = None) -> None:
        """Collect what the batch's samples name as unreadable."""
        samples = data_batch['data_samples']
        self._drawn = (runner.iter + 1 - self._first_iter) * len(samples) * get_world_size()
        for sample in samples:
            for path, reason in sample.metainfo.get('unreadable', ()):
                if path not in self.known:
                    self._new[path] = reason
        if get_world_size() == 1 or (runner.iter + 1) % self.interval == 0:
            self._exchange(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Exchange what was found since the last interval."""
        self._exchange(runner)

    def after_train(self, runner: Runner) -> None:
        """Say how many there were."""
        self._exchange(runner)
        if self.known:
            runner.logger.warning(f'{len(self.known)} unreadable images were replaced by others; see {self._path}')

    def _exchange(self, runner: Runner) -> None:
        count = torch.tensor(len(self._new))
        all_reduce(count)
        if count == 0:
            return
        found = {}
        for new in all_gather_object(self._new):
            found.update(new)
        self._new = {}
        found = {path: reason for path, reason in found.items() if path not in self.known}
        self.known.update(found)
        self._found += len(found)
        if get_rank() == 0 and found:
            append_unreadable(self._path, found)
            path, reason = next(iter(found.items()))
            runner.logger.warning(
                f'{len(self.known)} unreadable images so far, listed in {self._path}; '
                f'the latest is {printable(path)}: {reason}'
            )
        self._stop_if_too_many(len(runner.train_dataloader.dataset))

    def _stop_if_too_many(self, total: int) -> None:
        bad, of = len(self.known), total
        if bad <= self.max_fraction * total:
            bad, of = self._found, min(self._drawn, total)
            if bad < _EARLY_COUNT or bad <= _EARLY_FACTOR * self.max_fraction * of:
                return
        raise RuntimeError(
            f'{bad} of {of} images could not be read, more than max_fraction='
            f'{self.max_fraction:.2%} of UnreadableImagesHook; they are listed in {self._path}: '
            'repair or remove them, or raise max_fraction'
        )
