"""Block masks: their share, their shape, their independence, and clear errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmid_mm.datasets.transforms import BlockMask


@given(seed=st.integers(0, 2**32 - 1))
def test_exactly_thirty_of_forty_nine_blocks_are_masked(seed):
    np.random.seed(seed)
    mask = BlockMask()({})['mask']
    assert mask.shape == (56, 56)
    assert mask.dtype == np.uint8
    blocks = mask.reshape(7, 8, 7, 8).transpose(0, 2, 1, 3).reshape(49, 64)
    assert (blocks == blocks[:, :1]).all()
    assert np.isin(mask, (0, 1)).all()
    assert blocks[:, 0].sum() == 30


@given(cells=st.integers(1, 9), patch=st.sampled_from([1, 2, 4, 16]), ratio=st.floats(0, 1))
def test_other_sizes_mask_the_ceiling_of_the_ratio(cells, patch, ratio):
    mask = BlockMask(size=16 * cells, block_size=16, patch_size=patch, ratio=ratio)({})['mask']
    assert mask.shape == (16 * cells // patch,) * 2
    assert mask.sum() == math.ceil(ratio * cells**2) * (16 // patch) ** 2


@given(cells=st.integers(1, 7), ratio=st.floats(0, 1), size=st.sampled_from([16, 32]))
def test_masked_cells_are_the_blocks_where_a_block_is_a_cell(cells, ratio, size):
    positions = np.zeros((cells, cells, 2), np.float32)
    results = BlockMask(size=size * cells, block_size=size, ratio=ratio)(dict(cell_positions=positions))
    filled = np.zeros(cells**2, np.uint8)
    filled[results['masked_cells']] = 1
    assert results['masked_cells'].size == math.ceil(ratio * cells**2)
    assert np.array_equal(results['mask'], np.kron(filled.reshape(cells, cells), np.ones((size // 4, size // 4))))


@pytest.mark.parametrize('results', [{}, dict(cell_positions=np.zeros((14, 14, 2)))])
def test_blocks_that_are_no_cells_are_not_listed(results):
    assert 'masked_cells' not in BlockMask()(results)


def test_every_call_draws_anew_and_every_block_is_masked_as_often():
    np.random.seed(0)
    generator = BlockMask()
    masks = np.stack([generator({})['mask'][::8, ::8] for _ in range(2000)])
    assert len(np.unique(masks.reshape(2000, 49), axis=0)) == 2000
    # Five standard deviations of a share of 30 / 49 over 2000 masks.
    np.testing.assert_allclose(masks.mean(0), 30 / 49, atol=0.055)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(size=100), 'size=100, block_size=32'),
        (dict(block_size=32, patch_size=5), 'patch_size=5'),
        (dict(patch_size=0), 'patch_size=0'),
        (dict(ratio=1.1), 'ratio=1.1'),
    ],
)
def test_sizes_that_do_not_fit_are_refused_at_build_time(settings, message):
    with pytest.raises(ValueError, match=message):
        BlockMask(**settings)
