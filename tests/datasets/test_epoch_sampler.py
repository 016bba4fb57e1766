"""Any number of processes draws what one process would, and a resumed epoch goes on where it was."""

import pickle
import random
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmpretrain.registry import DATA_SAMPLERS

from cmid_mm.datasets.samplers import EpochSampler, GlobalBatchSampler
from cmid_mm.datasets.seeding import SeededIndex, mix_seed, seeded


def batches(size: int, batch: int, world: int = 1, rank: int = 0, epoch: int = 0, seed: int = 0, **kwargs) -> list:
    sampler = EpochSampler(range(size), seed=seed)
    batch_sampler = GlobalBatchSampler(sampler, 1, drop_last=False)
    # The process group of real runs sets these two; the launcher tests cover that.
    batch_sampler.batch_size, batch_sampler.world_size, batch_sampler.rank = batch, world, rank
    batch_sampler.drop_last = kwargs.get('drop_last', True)
    sampler.set_epoch(epoch)
    batch_sampler.skip(kwargs.get('skip', 0))
    return list(batch_sampler)


sizes = st.integers(1, 60)
runs = {'size': sizes, 'batch': st.integers(1, 7), 'seed': st.integers(0, 2**32 - 1)}


@given(**runs, world=st.integers(1, 5), epoch=st.integers(0, 9), drop_last=st.booleans())
def test_processes_together_equal_one(
    size: int, batch: int, seed: int, world: int, epoch: int, drop_last: bool
) -> None:
    common = {'epoch': epoch, 'seed': seed, 'drop_last': drop_last}
    single = batches(size, batch * world, **common)
    ranks = [batches(size, batch, world, rank, **common) for rank in range(world)]
    assert {len(rank) for rank in ranks} == {len(single)}
    joined = [list(chain(*step)) for step in zip(*ranks, strict=True)]
    assert joined == single
    assert [[i.seed for i in b] for b in joined] == [[i.seed for i in b] for b in single]


@given(**runs, drop_last=st.booleans())
def test_every_sample_once_an_epoch(size: int, batch: int, seed: int, drop_last: bool) -> None:
    drawn = list(chain(*batches(size, batch, seed=seed, drop_last=drop_last)))
    if drop_last:
        assert len(set(drawn)) == len(drawn) == size - size % batch
    else:
        assert len(drawn) % batch == 0
        assert 0 <= len(drawn) - size < batch
        assert sorted(drawn[:size]) == list(range(size))


@given(**runs, epoch=st.integers(0, 5), data=st.data())
def test_skip_drops_the_first_batches(size: int, batch: int, seed: int, epoch: int, data: st.DataObject) -> None:
    whole = batches(size, batch, seed=seed, epoch=epoch)
    count = data.draw(st.integers(0, len(whole)))
    assert batches(size, batch, seed=seed, epoch=epoch, skip=count) == whole[count:]


def test_skip_is_for_one_epoch_only() -> None:
    sampler = EpochSampler(range(20), seed=3)
    batch_sampler = GlobalBatchSampler(sampler, 4)
    batch_sampler.skip(3, epoch=7)
    for epoch, length in ((6, 5), (7, 2), (8, 5)):
        sampler.set_epoch(epoch)
        assert len(list(batch_sampler)) == length
        assert len(batch_sampler) == 5


def test_skip_beyond_the_epoch_is_refused() -> None:
    with pytest.raises(ValueError, match='6 batches of an epoch of 5'):
        GlobalBatchSampler(EpochSampler(range(20), seed=0), 4).skip(6)


def test_epochs_and_seeds_differ() -> None:
    orders = {
        (epoch, seed): tuple(chain(*batches(50, 5, epoch=epoch, seed=seed))) for epoch in range(3) for seed in range(3)
    }
    assert len(set(orders.values())) == 9
    seeds = [i.seed for e in range(9) for b in batches(50, 5, epoch=e) for i in b]
    assert len(set(seeds)) == len(seeds)


def test_order_is_the_same_for_ever() -> None:
    """A run resumed under another version of this package must go on in the same order."""
    first = batches(1000, 4, seed=42, epoch=3)[0]
    assert [(i.index, i.seed) for i in first] == FROZEN


FROZEN = [
    (513, 17022349354462208712),
    (454, 14464601972608704050),
    (336, 3028427107907031281),
    (605, 7314851990676842994),
]


def test_unshuffled_order() -> None:
    assert list(EpochSampler(range(5), shuffle=False, seed=0)) == [0, 1, 2, 3, 4]


def test_too_few_images_for_a_batch_is_an_error() -> None:
    with pytest.raises(ValueError, match='3 images, fewer than one global batch of 4'):
        GlobalBatchSampler(EpochSampler(range(3), seed=0), 4)


def test_other_samplers_are_refused() -> None:
    sampler = DATA_SAMPLERS.build({'type': 'DefaultSampler'}, default_args={'dataset': range(4), 'seed': 0})
    with pytest.raises(TypeError, match="sampler=dict\\(type='EpochSampler'\\)"):
        GlobalBatchSampler(sampler, 2)


def test_seeded_index_is_an_index_that_travels() -> None:
    index = pickle.loads(pickle.dumps(SeededIndex(2, 2**64 - 1)))
    assert 'abc'[index] == 'c'
    assert (index.index, index.seed) == (2, 2**64 - 1)
    assert type(index.index) is int


def draws() -> tuple:
    # Both normal numbers of a pair: a second one that was kept is not given back.
    return random.random(), np.random.rand(), *np.random.randn(2), torch.rand(()).item()


@given(seed=st.integers(0, 2**64 - 1))
def test_seeded_decides_draws_and_gives_states_back(seed: int) -> None:
    with seeded(seed):
        first = draws()
    draws()
    with seeded(12):
        before = draws()
        with seeded(seed):
            assert draws() == first
        after = draws()
    with seeded(12):
        assert draws() == before
        assert draws() == after


def test_states_come_back_after_an_error() -> None:
    with seeded(5):
        draws()
        expected = draws()
    with seeded(5):
        draws()
        with pytest.raises(KeyError), seeded(6):
            raise KeyError
        assert draws() == expected


def test_mixed_seeds_keep_sums_apart() -> None:
    seeds = {mix_seed(a, b, c) for a in range(9) for b in range(9) for c in range(9)}
    assert len(seeds) == 729
