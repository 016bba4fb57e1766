"""Matching of cells: the authors' arrays, a plain reference with ties, and clear errors."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cmid_mm.models.utils.matching import match_cells


def naive_match(a: np.ndarray, b: np.ndarray, num_matches: int) -> list[tuple[int, int]]:
    """One image, integer positions (N*N, 2): compare exact squared distances, lower index first."""
    pairs = []
    for i, cell in enumerate(a.tolist()):
        squared = [(cell[0] - other[0]) ** 2 + (cell[1] - other[1]) ** 2 for other in b.tolist()]
        j = min(range(len(squared)), key=lambda k: (squared[k], k))
        pairs.append((squared[j], i, j))
    return sorted((i, j) for _, i, j in sorted(pairs)[:num_matches])


@pytest.mark.parametrize('units', ['pixel', 'released'])
@pytest.mark.parametrize(('first', 'second'), [(1, 2), (2, 1)])
def test_reproduces_the_authors_pairs(golden_root, units, first, second):
    golden = np.load(golden_root / 'position_match.npz')
    grid_a = torch.from_numpy(golden[f'{units}_grid_{first}'])
    grid_b = torch.from_numpy(golden[f'{units}_grid_{second}'])
    index_a, index_b = match_cells(grid_a, grid_b, int(golden['num_matches']))

    expected = golden[f'{units}_match_{first}{second}']
    np.testing.assert_array_equal(torch.stack([index_a, index_b], -1).numpy(), expected)
    if (first, second) == (1, 2):
        images = torch.arange(len(grid_a))[:, None]
        chosen_a = grid_a.flatten(1, 2)[images, index_a]
        chosen_b = grid_b.flatten(1, 2)[images, index_b]
        distance = (chosen_a - chosen_b).norm(dim=-1)
        torch.testing.assert_close(distance, torch.from_numpy(golden[f'{units}_distance_12']), rtol=1e-10, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    cells=st.integers(1, 5),
    span=st.sampled_from([1, 3, 30, 4000]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    data=st.data(),
)
def test_agrees_with_a_plain_reference_and_breaks_ties_low(seed, cells, span, dtype, data):
    """Small spans put many cells on the same few points, so that most distances are ties."""
    num_matches = data.draw(st.integers(1, cells * cells))
    rng = np.random.RandomState(seed)
    a, b = rng.randint(0, span + 1, (2, 3, cells * cells, 2))
    index_a, index_b = match_cells(
        torch.tensor(a, dtype=dtype).view(3, cells, cells, 2),
        torch.tensor(b, dtype=dtype).view(3, cells, cells, 2),
        num_matches,
    )
    for image in range(3):
        pairs = list(zip(index_a[image].tolist(), index_b[image].tolist(), strict=True))
        assert pairs == naive_match(a[image], b[image], num_matches)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_equal_views_match_each_cell_with_itself_lowest_first(dtype):
    axis = torch.arange(7, dtype=dtype) * 32 + 16
    grid = torch.stack(torch.meshgrid(axis, axis, indexing='ij'), -1).expand(2, 7, 7, 2)
    index_a, index_b = match_cells(grid, grid, 20)
    assert index_a.tolist() == [list(range(20))] * 2
    assert torch.equal(index_a, index_b)


def test_ties_hidden_by_rounding_go_to_the_lower_index():
    """Two crops of one size, shifted: all pairs are equally far, though not to the last bit."""
    axis = torch.arange(7, dtype=torch.float64) * (157 / 7) + 157 / 14
    grid = torch.stack(torch.meshgrid(axis, axis, indexing='ij'), -1)[None]
    index_a, index_b = match_cells(grid + 25.3, grid + 28.9, 20)
    assert index_a.tolist() == [list(range(20))]
    assert torch.equal(index_a, index_b)


def test_a_thousandth_of_a_pixel_decides():
    """A difference that float32 positions can hold is no tie."""
    a = torch.zeros(1, 1, 2, 2)
    b = torch.tensor([[[[3.0, 4.001], [3.0, 4.0]]]])
    index_a, index_b = match_cells(a, b, 2)
    assert index_a.tolist() == [[0, 1]]
    assert index_b.tolist() == [[1, 1]]
    index_a, _ = match_cells(b, a, 1)
    assert index_a.tolist() == [[1]]


@pytest.mark.parametrize('num_matches', [0, -1, 10])
def test_a_number_of_matches_that_does_not_fit_is_refused(num_matches):
    grid = torch.zeros(2, 3, 3, 2)
    with pytest.raises(ValueError, match=r'num_matches=-?\d+ does not fit views of 3 x 3 cells'):
        match_cells(grid, grid, num_matches)


def test_wrong_shapes_are_refused_by_name():
    with pytest.raises(ValueError, match=r'positions_b has shape \(2, 9, 2\)'):
        match_cells(torch.zeros(2, 3, 3, 2), torch.zeros(2, 9, 2), 1)
    with pytest.raises(ValueError, match='2 images and positions_b 1'):
        match_cells(torch.zeros(2, 3, 3, 2), torch.zeros(1, 3, 3, 2), 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_the_gpu_chooses_the_same_pairs_without_waiting_for_it():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randint(0, 5, (2, 64, 7, 7, 2), generator=generator).float()
    expected = match_cells(a, b, 20)
    a, b = a.cuda(), b.cuda()
    torch.cuda.set_sync_debug_mode('error')
    try:
        result = match_cells(a, b, 20)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    for mine, theirs in zip(result, expected, strict=True):
        assert torch.equal(mine.cpu(), theirs)
