"""Boxes of overlapping windows become boxes of the scene, each object once."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cmid_mm.apis.windows import Grid

pytest.importorskip('mmrotate')
from cmid_mm.apis.boxes import merge_windows

# Two windows, columns 0 to 100 and 75 to 175.
GRID = Grid((100, 175), (100, 100), overlap=0.25)


def merge(*found, grid=GRID, iou_threshold=0.1) -> list[int]:
    """Positions kept of boxes given as (window, box, score) or (window, box, score, label)."""
    origins, boxes, scores = (list(column) for column in zip(*(row[:3] for row in found), strict=True))
    labels = [row[3] if len(row) > 3 else 0 for row in found]
    return merge_windows(
        torch.tensor(boxes, dtype=torch.float32),
        torch.tensor(scores),
        torch.tensor(labels),
        torch.tensor(origins),
        list(grid),
        grid.shape,
        iou_threshold,
    ).tolist()


def test_the_windows_of_these_tests():
    assert [(window.left, window.width) for window in GRID] == [(0, 100), (75, 100)]


def test_an_object_that_two_windows_see_whole_stays_once():
    assert merge((0, [88, 50, 10, 6, 0.3], 0.8), (1, [88.5, 50, 10, 6, 0.3], 0.9)) == [1]


def test_a_part_goes_though_it_scores_higher_and_hardly_overlaps_the_whole():
    """A ship from 96 to 166: the first window sees 4 of its 70 pixels, an IoU of 0.06 with the whole."""
    part, whole = (0, [98, 50, 4, 10, 0.0], 0.99), (1, [131, 50, 70, 10, 0.0], 0.6)
    assert merge(part, whole) == [1]
    assert merge(whole, part) == [0]


def test_a_slanted_part_goes():
    angle = math.radians(45)
    assert merge((0, [93, 43, 18, 8, angle], 0.9), (1, [110, 60, 70, 8, angle], 0.5)) == [1]


def test_a_part_stays_where_no_other_window_found_the_object():
    assert merge((0, [98, 50, 4, 10, 0.0], 0.4)) == [0]


def test_of_two_parts_the_larger_stays():
    """An object as wide as the overlap and more is whole in neither window."""
    assert merge((0, [92, 50, 16, 10, 0.0], 0.9), (1, [95, 50, 40, 10, 0.0], 0.5)) == [1]


def test_parts_of_other_classes_and_of_other_objects_stay():
    part = (0, [98, 50, 4, 10, 0.0], 0.9)
    assert merge(part, (1, [131, 50, 70, 10, 0.0], 0.6, 1)) == [0, 1]
    assert merge(part, (1, [131, 80, 70, 10, 0.0], 0.6)) == [0, 1]


def test_a_box_at_the_border_of_the_scene_is_no_part():
    """The left border of the first window is that of the scene: what ends there is whole."""
    assert merge((0, [3, 50, 6, 10, 0.0], 0.9), (0, [10, 50, 20, 10, 0.0], 0.5), iou_threshold=0.9) == [0, 1]


def test_boxes_of_one_window_are_left_to_its_own_suppression_of_parts():
    """Cut or not, a box is no part of one from the same window; only their IoU counts."""
    assert merge((0, [97, 50, 4, 10, 0.0], 0.9), (0, [90, 50, 20, 10, 0.0], 0.5), iou_threshold=0.9) == [0, 1]


def test_no_boxes_at_all():
    nothing = torch.empty(0)
    assert merge_windows(
        nothing.reshape(0, 5), nothing, nothing.long(), nothing.long(), list(GRID), (1, 1), 0.1
    ).shape == (0,)


@settings(deadline=None)
@given(
    centre=st.tuples(st.floats(30, 330), st.floats(30, 330)),
    size=st.tuples(st.floats(8, 30), st.floats(8, 30)),
    scores=st.lists(st.floats(0.1, 1), min_size=9, max_size=9),
)
def test_an_object_smaller_than_the_overlap_is_found_once_wherever_it_lies(centre, size, scores):
    """Every window reports the axis-parallel extent of what it sees of an axis-parallel object."""
    grid = Grid((360, 360), (150, 150), overlap=0.3)
    left, right = centre[0] - size[0] / 2, centre[0] + size[0] / 2
    top, bottom = centre[1] - size[1] / 2, centre[1] + size[1] / 2
    found = []
    for number, window in enumerate(grid):
        x1, x2 = max(left, window.left), min(right, window.left + window.width)
        y1, y2 = max(top, window.top), min(bottom, window.top + window.height)
        if x2 - x1 > 1 and y2 - y1 > 1:
            found.append((number, [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, 0.0], scores[number]))
    [kept] = merge(*found, grid=grid)
    _, box, _ = found[kept]
    assert box[2:4] == pytest.approx(size, rel=1e-6)
