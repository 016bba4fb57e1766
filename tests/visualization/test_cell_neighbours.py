"""Nearest cells: a copy is found first, and the frame is where the cell is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cmid_mm.visualization.neighbours import cell_similarity, draw_cell_neighbours, draw_neighbours, nearest_by_cell


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 10))
def test_a_cell_that_was_copied_elsewhere_is_found_there_first(seed, scale):
    generator = np.random.default_rng(seed)
    maps = generator.normal(size=(6, 16, 3, 4))
    maps[4, :, 2, 3] = scale * maps[1, :, 0, 2]
    similarity = cell_similarity(maps, 1, (0, 2))
    assert similarity.shape == (6, 3, 4)
    assert similarity[1, 0, 2] == pytest.approx(1)
    found, cells = nearest_by_cell(similarity, 1, count=5)
    assert sorted(found) == [0, 2, 3, 4, 5]
    assert (found[0], *cells[0]) == (4, 2, 3)
    best = similarity[(found, *cells.T)]
    assert (np.diff(best) <= 0).all()
    np.testing.assert_allclose(best, similarity.reshape(6, -1).max(axis=1)[found])


def test_cells_and_counts_that_do_not_exist_are_refused():
    maps = np.ones((3, 8, 2, 2))
    with pytest.raises(ValueError, match='cell 2 0 lies outside maps of 2 x 2 cells; give row and column from 0'):
        cell_similarity(maps, 0, (2, 0))
    with pytest.raises(ValueError, match='3 images give no 3 neighbours'):
        nearest_by_cell(cell_similarity(maps, 0, (0, 0)), 0, count=3)


def test_a_query_without_a_class_makes_no_neighbour_right_or_wrong(tmp_path):
    images = [np.full((16, 16, 3), 128, np.uint8)] * 4
    draw_neighbours(images, [3], np.array([[0, 1, 2]]), tmp_path / 'n.png', np.array([0, 0, 1, -1]), ['a', 'b'])
    picture = np.asarray(Image.open(tmp_path / 'n.png').convert('RGB')).astype(int)
    for colour in ((26, 127, 55), (207, 34, 46)):
        assert (np.abs(picture - colour).max(axis=-1) < 12).sum() < 20


def test_the_frame_is_drawn_around_the_cell(tmp_path):
    images = [np.full((64, 64, 3), 100, np.uint8)] * 3
    similarity = np.zeros((3, 4, 4))
    similarity[0, 1, 1] = similarity[1, 3, 0] = similarity[2, 3, 0] = 1
    draw_cell_neighbours(images, [0], [similarity], (1, 1), tmp_path / 'n.png', count=2)
    picture = np.asarray(Image.open(tmp_path / 'n.png').convert('RGB')).astype(int)
    green = np.argwhere(np.abs(picture - (26, 127, 55)).max(axis=-1) < 12)
    rows = np.flatnonzero((np.abs(picture - 100).max(axis=-1) < 3).sum(axis=1) > 100)
    quarter = (rows.max() - rows.min()) / 4
    # Cell (3, 0): the lowest quarter of the images.
    assert rows.min() + 3 * quarter - 4 <= green[:, 0].min() < green[:, 0].max() <= rows.max() + 4
