"""Tiles: every pixel in one, none padded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmid_mm.datasets.preparation import PreparationError
from cmid_mm.datasets.preparation.tiles import check_tiling, cut, tile_name, windows


@st.composite
def tilings(draw):
    size = draw(st.integers(1, 20))
    return draw(st.integers(size, 70)), draw(st.integers(size, 70)), size, draw(st.integers(1, size))


@given(tilings())
def test_tiles_reassemble_to_the_picture(tiling):
    height, width, size, stride = tiling
    picture = np.random.default_rng(height * 71 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    again = np.full_like(picture, 0)
    seen = np.zeros((height, width), int)
    corners = windows(height, width, size, stride)
    for x, y in corners:
        tile = cut(picture, x, y, size)
        assert tile.shape == (size, size, 3)
        again[y : y + size, x : x + size] = tile
        seen[y : y + size, x : x + size] += 1
    assert np.array_equal(again, picture)
    assert seen.min() == 1 or stride < size
    assert len(set(corners)) == len(corners)
    # No window more than needed: one in each step, and one moved inside if the last step leaves a rest.
    for length, axis in ((width, 0), (height, 1)):
        assert len({corner[axis] for corner in corners}) == -(-(length - size) // stride) + 1


def test_a_potsdam_scene_has_144_tiles():
    corners = windows(6000, 6000, 512, 512)
    assert len(corners) == 144
    assert corners[0] == (0, 0)
    assert corners[-1] == (5488, 5488)
    assert tile_name('2_10', 5488, 0, 512) == '2_10_5488_0_6000_512'


@pytest.mark.parametrize(('size', 'stride'), [(16, 17), (16, 0), (0, 0)])
def test_tilings_that_lose_pixels_are_refused(size, stride):
    with pytest.raises(PreparationError, match=f'--stride {stride} with --size {size}'):
        check_tiling(size, stride)
