"""Windows cover a scene, and blending them changes nothing that a window alone would say."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cmid_mm.apis.windows import Blender, Grid, Window, fade

sides = st.integers(1, 90)
grids = st.builds(Grid, st.tuples(sides, sides), st.tuples(sides, sides), st.floats(0, 0.99))


def blend(grid: Grid, probabilities, **kwargs) -> Blender:
    """Blend what a function of a window gives."""
    blender = Blender(grid, **kwargs)
    for window in grid:
        blender.add(window, probabilities(window))
    blender.finish()
    return blender


@given(grids)
def test_windows_cover_every_pixel_and_stay_inside(grid):
    seen = np.zeros(grid.shape, int)
    for window in grid:
        assert 0 <= window.top <= grid.shape[0] - window.height
        assert 0 <= window.left <= grid.shape[1] - window.width
        seen[window.top : window.top + window.height, window.left : window.left + window.width] += 1
    assert seen.min() > 0
    assert len(set(grid)) == len(grid)


@given(length=sides, size=sides, overlap=st.floats(0, 0.99))
def test_neighbours_overlap_as_much_as_asked(length, size, overlap):
    tops = Grid((length, 5), (size, 5), overlap).tops
    assert all(b - a <= max(1, size - round(size * overlap)) for a, b in pairwise(tops))


def test_a_scene_smaller_than_a_window_is_one_window():
    assert list(Grid((30, 50), (64, 64))) == [Window(0, 0, 30, 50)]
    assert list(Grid((30, 100), (64, 64))) == [Window(0, 0, 30, 64), Window(0, 36, 30, 64)]


@given(size=st.integers(1, 5000))
def test_weights_are_positive_and_fade_to_both_sides(size):
    weights = fade(size, alone=False)
    assert weights.min() > 0
    assert torch.allclose(weights, weights.flip(0), rtol=1e-2, atol=1e-6)
    assert (weights[: (size + 1) // 2].diff() >= 0).all()


@settings(deadline=None)
@given(grid=grids, logits=st.lists(st.integers(-9, 9), min_size=2, max_size=7))
def test_constant_probabilities_blend_to_their_own_class(grid, logits):
    constant = torch.tensor(logits, dtype=torch.float32).softmax(0)
    blender = blend(grid, lambda w: constant[:, None, None].expand(-1, w.height, w.width), confidence=True)
    assert (blender.classes == constant.argmax().item()).all()
    assert np.abs(blender.confidence - constant.max().item()).max() < 2e-3  # float16


@settings(deadline=None)
@given(grid=grids, seed=st.integers(0, 2**31), classes=st.integers(2, 6))
def test_a_local_model_gives_the_same_by_windows_as_whole(grid, seed, classes):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(3, *grid.shape, generator=generator)
    model = torch.nn.Conv2d(3, classes, 1)
    with torch.no_grad():
        whole = model(image[None])[0].softmax(0)
        blender = blend(
            grid,
            lambda w: model(image[None, :, w.top : w.top + w.height, w.left : w.left + w.width])[0].softmax(0),
            confidence=True,
        )
    best, second = whole.topk(2, dim=0).values
    clear = (best - second > 1e-5).numpy()  # where rounding cannot decide
    assert clear.mean() > 0.9 or not clear.size > 100
    assert (blender.classes == whole.argmax(0).numpy())[clear].all()
    assert np.abs(blender.confidence - best.numpy()).max() < 2e-3


@settings(deadline=None)
@given(grid=grids, threshold=st.floats(0.2, 0.8), share=st.floats(0, 1))
def test_one_output_is_compared_with_its_threshold(grid, threshold, share):
    if abs(threshold - share) < 1e-4:
        return
    blender = blend(grid, lambda w: torch.full((1, w.height, w.width), share), threshold=threshold, confidence=True)
    assert (blender.classes == (share > threshold)).all()
    assert np.abs(blender.confidence - (share if share > threshold else 1 - share)).max() < 2e-3


def test_the_middle_of_a_window_counts_more_than_the_border_of_its_neighbour():
    """Two windows that disagree: each keeps its own side, and the seam is in the middle of what both see."""
    grid = Grid((10, 150), (10, 100), overlap=0.5)
    assert [window.left for window in grid] == [0, 50]
    says = {0: 0.9, 50: 0.1}
    blender = blend(grid, lambda w: torch.stack([torch.full((10, 100), p) for p in (says[w.left], 1 - says[w.left])]))
    assert (blender.classes[:, :75] == 0).all()
    assert (blender.classes[:, 75:] == 1).all()


@pytest.mark.parametrize(('size', 'overlap'), [((0, 5), 0.25), ((5, 5), 1.0), ((5, 5), -0.1)])
def test_arguments_out_of_range_are_named(size, overlap):
    with pytest.raises(ValueError, match=r'give sides of 1 or more|give a share from 0 to below 1'):
        Grid((10, 10), size, overlap)


def test_more_classes_than_a_byte_names_are_refused():
    grid = Grid((4, 4), (4, 4))
    with pytest.raises(ValueError, match='257 classes do not fit'):
        Blender(grid).add(grid[0], torch.zeros(257, 4, 4))
