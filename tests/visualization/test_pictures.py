"""Reconstructions and neighbours: the arrays behind the pictures, and that a picture shows them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cmid_mm.visualization.neighbours import draw_neighbours, nearest, spread_queries
from cmid_mm.visualization.reconstructions import draw_reconstructions, paste, to_uint8


def _has_colour(path, colour, least=50) -> bool:
    pixels = np.asarray(Image.open(path).convert('RGB')).astype(int)
    return (np.abs(pixels - colour).max(axis=-1) < 12).sum() > least


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_denormalising_gives_the_pixels_back(seed):
    mean, std = (86.18, 91.93, 85.37), (34.65, 34.48, 35.88)
    pixels = np.random.default_rng(seed).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    normalised = ((pixels - np.array(mean)) / np.array(std)).transpose(0, 3, 1, 2).astype(np.float32)
    np.testing.assert_array_equal(to_uint8(normalised, mean, std), pixels)


def test_paste_follows_the_mask_block_by_block():
    image = np.zeros((1, 8, 8, 3), np.uint8)
    mask = np.array([[[0, 1], [0, 0]]])
    pasted = paste(image, image + 9, mask)
    assert (pasted[0, :4, 4:] == 9).all()
    assert pasted.sum() == 9 * 4 * 4 * 3
    with pytest.raises(ValueError, match='do not fit'):
        paste(image, image, np.ones((1, 3, 3)))


def test_reconstructions_show_all_four_columns(tmp_path):
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    image, masked, rebuilt = (np.full((2, 32, 32, 3), colour, np.uint8) for colour in colours)
    draw_reconstructions(image, masked, rebuilt, np.ones((2, 8, 8)), tmp_path / 'r.png')
    assert all(_has_colour(tmp_path / 'r.png', colour) for colour in colours)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_nearest_is_the_order_of_cosines_without_the_query(seed):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(20, 5))
    features[7] = 2 * features[3]
    found = nearest(features, [3, 11], count=6)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    for query, row in zip([3, 11], found, strict=True):
        cosines = unit @ unit[query]
        cosines[query] = -np.inf
        np.testing.assert_allclose(cosines[row], np.sort(cosines)[::-1][:6])
    assert found[0, 0] == 7


def test_equal_images_never_return_the_query():
    found = nearest(np.ones((12, 3)), list(range(12)), count=4)
    assert found.shape == (12, 4)
    assert all(query not in row for query, row in enumerate(found))
    with pytest.raises(ValueError, match='12 images give no 12 neighbours'):
        nearest(np.ones((12, 3)), [0], count=12)


def test_queries_cover_the_classes_first():
    labels = np.array([0] * 50 + [1] * 3 + [2] * 2 + [-1] * 10)
    chosen = spread_queries(labels, len(labels), 3)
    assert sorted(labels[chosen]) == [0, 1, 2]
    assert sorted(labels[spread_queries(labels, len(labels), 5)]) == [0, 0, 1, 1, 2]
    loose = spread_queries(None, 30, 5, seed=1)
    assert len(set(loose)) == 5
    assert loose == spread_queries(None, 30, 5, seed=1)


def test_neighbours_are_framed_by_whether_their_class_is_right(tmp_path):
    images = [np.full((16, 16, 3), 128, np.uint8)] * 8
    neighbours = np.array([[1, 2, 3]])
    right, wrong = (26, 127, 55), (207, 34, 46)
    draw_neighbours(images, [0], neighbours, tmp_path / 'n.png', np.zeros(8, int), ['a $ price'])
    assert _has_colour(tmp_path / 'n.png', right)
    assert not _has_colour(tmp_path / 'n.png', wrong)
    draw_neighbours(images, [0], neighbours, tmp_path / 'n.png', np.array([0] + [1] * 7), ['a', 'b'])
    assert _has_colour(tmp_path / 'n.png', wrong)
    draw_neighbours(images, [0], neighbours, tmp_path / 'plain.png')
    assert not _has_colour(tmp_path / 'plain.png', right)
    assert not _has_colour(tmp_path / 'plain.png', wrong)
