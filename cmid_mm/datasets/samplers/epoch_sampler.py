"""One order of samples for any number of processes and workers.

In a config the two stand together; the batch size is said once, in the dataloader::

    train_dataloader = dict(
        batch_size=64,  # of one process
        sampler=dict(type='EpochSampler'),
        batch_sampler=dict(type='GlobalBatchSampler'),
        ...)

:class:`EpochSampler` is the order of a whole epoch. :class:`GlobalBatchSampler` cuts it into
global batches and hands each process its slice. mmengine passes ``batch_size`` to the batch
sampler, and calls ``set_epoch`` of ``dataloader.batch_sampler.sampler`` before each epoch.
"""

from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmpretrain.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from ..seeding import SeededIndex, mix_seed


@DATA_SAMPLERS.register_module()
class EpochSampler(Sampler):
    """All samples once an epoch, each with the seed that its views are drawn under.

    Order and seeds depend on ``(seed, epoch)`` and on nothing else. As the sampler knows nothing of
    processes, it needs :class:`GlobalBatchSampler` behind it in distributed runs.

    Args:
        dataset (Sized): The dataset.
        shuffle (bool): Whether to shuffle anew each epoch. Defaults to True.
        seed (int, optional): Seed of the run. Defaults to None: drawn, the same on all processes.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        if len(dataset) == 0:
            raise ValueError('EpochSampler got a dataset without samples; check its data folder')
        self.size = len(dataset)
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration runs over."""
        self.epoch = epoch

    def order(self) -> np.ndarray:
        """Indices of this epoch in order, (len(dataset),) int64."""
        if not self.shuffle:
            return np.arange(self.size)
        # NumPy promises that the stream of RandomState never changes.
        seed = mix_seed(self.seed, self.epoch)
        return np.random.RandomState([seed & 0xFFFFFFFF, seed >> 32]).permutation(self.size)

    def seeded(self, index: int) -> SeededIndex:
        """``index`` with the seed of its sample in this epoch."""
        return SeededIndex(index, mix_seed(self.seed, self.epoch, index))

    def __iter__(self) -> Iterator[SeededIndex]:
        return (self.seeded(int(index)) for index in self.order())

    def __len__(self) -> int:
        return self.size


@DATA_SAMPLERS.register_module()
class GlobalBatchSampler(Sampler):
    """Batches of this process, cut so that the processes together see what one process would.

    Step k of an epoch is the global batch ``order[k * G:(k + 1) * G]``, ``G = batch_size * world
    size``; process r takes the r-th of its equal slices. Concatenating the processes in order of
    rank therefore gives the batch of one process with batch size G.

    Args:
        sampler (EpochSampler): The order of an epoch, the same on all processes.
        batch_size (int): Samples a process and step; mmengine passes that of the dataloader.
        drop_last (bool): Whether the samples left over at the end of an epoch are left out of it.
            If False, the last global batch is filled up with samples from the start of the same
            epoch, so that all batches are equally large. Defaults to True.
    """

    def __init__(self, sampler: EpochSampler, batch_size: int, drop_last: bool = True) -> None:
        if not isinstance(sampler, EpochSampler):
            raise TypeError(
                f'GlobalBatchSampler got a {type(sampler).__name__}, which gives each process an '
                f"order of its own; set sampler=dict(type='EpochSampler')"
            )
        if batch_size < 1:
            raise ValueError(f'batch_size of the dataloader is {batch_size}; it must be 1 or more')
        self.rank, self.world_size = get_dist_info()
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        self._skipped = (0, 0)  # epoch, batches
        if len(self) == 0:
            raise ValueError(
                f'the dataset has {len(sampler)} images, fewer than one global batch of '
                f'{self.global_batch_size} (batch_size {batch_size} x {self.world_size} processes); '
                'lower batch_size of the dataloader or set drop_last=False of GlobalBatchSampler'
            )

    @property
    def global_batch_size(self) -> int:
        """Samples a step over all processes."""
        return self.batch_size * self.world_size

    def skip(self, num_batches: int, epoch: int | None = None) -> None:
        """Leave out the first batches of one epoch, as a run resumed within it has seen them.

        The length stays that of a full epoch, and other epochs are not affected.

        Args:
            num_batches (int): Steps already done, 0 to ``len(self)``.
            epoch (int, optional): The epoch. Defaults to None: the one set now.
        """
        if not 0 <= num_batches <= len(self):
            raise ValueError(
                f'cannot skip {num_batches} batches of an epoch of {len(self)}; the dataset, the '
                'batch size or the number of processes is not that of the run to resume'
            )
        self._skipped = (self.sampler.epoch if epoch is None else epoch, num_batches)

    def __iter__(self) -> Iterator[list[SeededIndex]]:
        order, seeded = self.sampler.order(), self.sampler.seeded
        epoch, first = self._skipped
        if epoch != self.sampler.epoch:
            first = 0
        # np.resize repeats the order until the last global batch is full.
        order = np.resize(order, len(self) * self.global_batch_size)
        for step in range(first, len(self)):
            start = step * self.global_batch_size + self.rank * self.batch_size
            yield [seeded(int(index)) for index in order[start : start + self.batch_size]]

    def __len__(self) -> int:
        """Steps of an epoch."""
        count = len(self.sampler)
        if not self.drop_last:
            count += self.global_batch_size - 1
        return count // self.global_batch_size
