"""What is drawn is where it belongs, and the legend says what is there."""

import cv2
import numpy as np
import pytest

from cmid_mm.apis.pictures import draw_boxes, overlay, shares, shrink, with_legend

PALETTE = [(255, 0, 0), (0, 0, 255)]


def test_colours_lie_half_over_the_image():
    image = np.full((2, 3, 3), 100, np.uint8)
    classes = np.array([[0, 1, 2], [0, 1, 0]], np.uint8)
    mixed = overlay(image, classes, PALETTE)
    assert mixed[0, 0].tolist() == [50, 50, 178]  # red, in BGR
    assert mixed[0, 1].tolist() == [178, 50, 50]
    assert mixed[0, 2].tolist() == [114, 114, 114]  # a class beyond the palette is grey
    assert overlay(image, classes, PALETTE, hidden=1)[0, 1].tolist() == [100, 100, 100]


def test_the_legend_names_the_classes_that_occur():
    classes = np.array([[0, 1, 1, 1], [1, 1, 1, 5]], np.uint8)
    texts = [text for _, text in shares(classes, ('a', 'b', 'c'), PALETTE)]
    assert texts == ['a 12.5%', 'b 75.0%', 'class 5 12.5%']


def test_a_legend_leaves_the_picture_as_it_is():
    picture = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    drawn = with_legend(picture, [((255, 0, 0), 'a long name of a class'), ((0, 255, 0), 'b')])
    assert (drawn[:40, :30] == picture).all()
    assert drawn.shape[1] > 30
    assert (drawn[40:] == (0, 0, 255)).all(axis=2).any()
    assert (drawn[40:] == (0, 255, 0)).all(axis=2).any()
    assert with_legend(picture, []) is picture


def test_boxes_beyond_the_border_do_not_move_the_image():
    image = np.zeros((60, 80, 3), np.uint8)
    corners = np.array([[[-20, 10], [30, 10], [30, 40], [-20, 40]]], np.float32)
    drawn = draw_boxes(image, corners, [(255, 0, 0)])
    assert drawn.shape == image.shape
    assert drawn[25, 30, 2] > 200
    assert drawn[10, 5, 2] > 200
    assert not drawn[:, 40:].any()
    assert not image.any()


@pytest.mark.parametrize('shape', [(50, 400), (400, 50, 3), (1, 400, 3)])
def test_shrinking_keeps_the_form_and_the_labels(shape):
    pixels = np.random.default_rng(0).choice(np.array([3, 200], np.uint8), shape)
    small = shrink(pixels, 100, labels=True)
    assert max(small.shape[:2]) == 100
    assert set(np.unique(small)) <= {3, 200}
    assert (shrink(pixels, 400) == pixels).all()


def test_shrinking_averages_what_is_no_label():
    stripes = np.tile(np.array([0, 200], np.uint8), (8, 4))
    assert (shrink(stripes, 4) == 100).all()
    assert cv2.countNonZero(shrink(stripes, 4, labels=True)) in (0, 16)
