"""Matches between views: the identity of equal images, the shift of a shifted crop, the ground of random views."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from cmid_mm.datasets.transforms import Crop, cell_positions
from cmid_mm.evaluation import extract_maps
from cmid_mm.visualization.correspondence import (
    Matches,
    dissimilarity,
    draw_correspondence,
    ground_distance,
    mutual_matches,
    two_views,
)


class Cells(nn.Module):
    """A backbone whose cells see nothing but their own 16 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 16, stride=16)

    def forward(self, images):
        return (self.stem(images),)


@pytest.fixture(scope='module')
def cells() -> Cells:
    torch.manual_seed(0)
    return Cells()


def noise(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_equal_images_match_cell_by_cell(cells):
    first, second = extract_maps(cells, [noise(96, 96, 0)] * 2, size=96)
    matches = mutual_matches(first, second)
    np.testing.assert_array_equal(matches.first, np.argwhere(np.ones((6, 6))))
    np.testing.assert_array_equal(matches.second, matches.first)
    np.testing.assert_allclose(matches.similarity, 1, atol=1e-5)
    np.testing.assert_allclose(dissimilarity(first, second), 0, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(0, 3), columns=st.integers(0, 3), seed=st.integers(0, 99))
def test_a_shifted_crop_matches_by_its_shift(cells, rows, columns, seed):
    scene = noise(144, 144, seed)
    crops = [scene[:96, :96], scene[16 * rows : 16 * rows + 96, 16 * columns : 16 * columns + 96]]
    matches = mutual_matches(*extract_maps(cells, crops, size=96))
    same = matches.similarity > 0.999
    # What both crops hold is found, each cell at its place; what one alone holds may match anything.
    assert same.sum() == (6 - rows) * (6 - columns)
    np.testing.assert_array_equal(matches.first[same] - matches.second[same], [(rows, columns)] * same.sum())
    places = Crop(96, 96, 0, 0), Crop(96, 96, 16 * rows, 16 * columns)
    distance, side = ground_distance(matches, places, 6)
    np.testing.assert_allclose(distance[same], 0, atol=1e-9)
    assert side == 16


def test_what_changed_between_dates_is_dissimilar(cells):
    before = noise(96, 96, 0)
    after = before.copy()
    after[32:48, 64:80] = 255 - after[32:48, 64:80]
    change = dissimilarity(*extract_maps(cells, [before, after], size=96))
    assert np.unravel_index(change.argmax(), (6, 6)) == (2, 4)
    assert np.sort(change.ravel())[-2] < 1e-5 < 0.2 < change.max()


@pytest.mark.parametrize('seed', range(4))
def test_views_lie_where_they_say(tmp_path, seed):
    # Red grows to the right and green downwards, so a pixel tells where it lies.
    y, x = np.mgrid[:200, :240]
    Image.fromarray(np.stack([x, y, 0 * x], axis=2).astype(np.uint8)).save(tmp_path / 'place.png')
    views, crops = two_views(str(tmp_path / 'place.png'), 96, seed)
    assert crops[0] != crops[1]
    for view, crop in zip(views, crops, strict=True):
        seen = view.reshape(3, 32, 3, 32, 3).mean(axis=(1, 3))[..., 1::-1]  # (row, column) of each cell
        np.testing.assert_allclose(seen + 0.5, cell_positions(crop, (0, 0), 3), atol=1)


def test_the_picture_counts_the_pairs_and_colours_them_by_distance(tmp_path):
    images = np.full((2, 64, 64, 3), 128, np.uint8)
    matches = Matches(np.array([[0, 0], [1, 1]]), np.array([[0, 0], [1, 0]]), np.array([0.9, 0.8]))
    for distance, colours in (([0, 0], (True, False)), ([99, 99], (False, True)), ([0, 99], (True, True))):
        out = tmp_path / 'c.png'
        draw_correspondence(images, matches, np.array(distance), 32.0, 2, out, ('a', 'b'), np.zeros((2, 2)))
        picture = np.asarray(Image.open(out).convert('RGB')).astype(int)
        # Lines let a little of the grey through.
        lines = [0.85 * np.array(colour) + 0.15 * 128 for colour in ((26, 127, 55), (207, 34, 46))]
        green, red = ((np.abs(picture - line).max(axis=-1) < 8).sum() > 100 for line in lines)
        assert (green, red) == colours
