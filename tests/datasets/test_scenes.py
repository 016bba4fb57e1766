"""Scenes are a pure function of their seed, and their picture, mask, boxes and change say the same."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from cmid_mm.datasets.scenes import BOX_CLASSES, MASK_CLASSES, SCENE_CLASSES, draw_scene

seeds = st.integers(0, 2**40)
labels = st.sampled_from(SCENE_CLASSES)


def inside(box: np.ndarray, size: int, grow: float = 1.0) -> np.ndarray:
    """Pixels (size, size) whose centre lies in the box (8,)."""
    corners = box.reshape(4, 2)
    middle = corners.mean(axis=0)
    corners = np.rint(((corners - middle) * grow + middle - 0.5) * 256).astype(np.int32)
    return cv2.fillPoly(np.zeros((size, size), np.uint8), [corners], 1, 8, 8) > 0


@settings(max_examples=25, deadline=None)
@given(seed=seeds, label=labels, size=st.integers(64, 256))
def test_every_class_draws_at_any_size(seed: int, label: str, size: int) -> None:
    scene = draw_scene(seed, label, size)
    for picture in (scene.image, scene.later):
        assert picture.shape == (size, size, 3)
        assert picture.dtype == np.uint8
        assert picture.std() > 2, 'a blank picture'
    for raster in (scene.mask, scene.later_mask, scene.change):
        assert raster.shape == (size, size)
        assert raster.dtype == np.uint8
    assert max(scene.mask.max(), scene.later_mask.max()) < len(MASK_CLASSES)
    assert scene.boxes.shape == (len(scene.box_labels), 8)
    assert scene.boxes.dtype == np.float32
    assert set(scene.box_labels) <= set(BOX_CLASSES)
    assert len(scene.box_difficult) == len(scene.boxes)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, label=labels)
def test_same_seed_gives_same_bytes(seed: int, label: str) -> None:
    one = draw_scene(seed, label, 64)
    np.random.seed(1)
    two = draw_scene(seed, SCENE_CLASSES.index(label), 64)
    for name in ('image', 'mask', 'boxes', 'later', 'later_mask', 'change', 'box_difficult'):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
    assert (one.label, one.box_labels) == (two.label, two.box_labels) == (label, one.box_labels)


@pytest.mark.parametrize('label', SCENE_CLASSES)
def test_other_seeds_and_classes_give_other_scenes(label: str) -> None:
    scenes = [draw_scene(seed, label, 64, later=False) for seed in range(4)]
    assert len({scene.image.tobytes() for scene in scenes}) == 4
    assert len({scene.mask.tobytes() for scene in scenes}) == 4
    other = SCENE_CLASSES[(SCENE_CLASSES.index(label) + 1) % len(SCENE_CLASSES)]
    assert not np.array_equal(scenes[0].mask, draw_scene(0, other, 64, later=False).mask)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, label=labels)
def test_first_date_does_not_depend_on_the_second(seed: int, label: str) -> None:
    both, first = draw_scene(seed, label, 64), draw_scene(seed, label, 64, later=False)
    assert np.array_equal(both.image, first.image)
    assert np.array_equal(both.mask, first.mask)
    assert np.array_equal(both.boxes, first.boxes)
    assert first.later is None
    assert first.change is None


@settings(max_examples=30, deadline=None)
@given(seed=seeds, label=labels)
def test_boxes_lie_on_their_class_in_the_mask(seed: int, label: str) -> None:
    scene = draw_scene(seed, label, 128, later=False)
    for box, name, difficult in zip(scene.boxes, scene.box_labels, scene.box_difficult, strict=True):
        filled = inside(box, 128)
        share = (scene.mask[filled] == MASK_CLASSES.index(name)).mean()
        assert share > 0
        if not difficult and filled.sum() >= 30:
            # A plane fills a third of its box; others most of it, unless something covers a part.
            assert share > (0.1 if name == 'plane' else 0.3), (name, share)


@pytest.mark.parametrize(
    ('label', 'name'),
    [
        ('airport', 'plane'),
        ('harbour', 'ship'),
        ('car_park', 'car'),
        ('storage_tanks', 'storage_tank'),
        ('dense_residential', 'building'),
    ],
)
def test_objects_in_the_mask_have_boxes(label: str, name: str) -> None:
    covered = total = 0
    for seed in range(6):
        scene = draw_scene(seed, label, 128, later=False)
        union = np.zeros((128, 128), dtype=bool)
        for box, box_label in zip(scene.boxes, scene.box_labels, strict=True):
            if box_label == name:
                union |= inside(box, 128, grow=1.15)
        pixels = scene.mask == MASK_CLASSES.index(name)
        covered, total = covered + (pixels & union).sum(), total + pixels.sum()
    assert total > 0, f'no {name} in six scenes of {label}'
    assert covered > 0.9 * total


@settings(max_examples=30, deadline=None)
@given(seed=seeds, label=labels)
def test_masks_agree_where_nothing_changed(seed: int, label: str) -> None:
    scene = draw_scene(seed, label, 96)
    assert set(np.unique(scene.change)) <= {0, 1}
    same = scene.change == 0
    assert np.array_equal(scene.mask[same], scene.later_mask[same])


def test_change_is_common_neither_empty_nor_everything() -> None:
    shares = [draw_scene(seed, label, 64).change.mean() for seed in range(4) for label in SCENE_CLASSES]
    assert 0.01 < np.mean(shares) < 0.25
    assert max(shares) < 0.7
    assert np.mean(np.array(shares) > 0) > 0.5


def test_unchanged_ground_still_looks_different() -> None:
    """Season and light are no change, but must be there to be ignored."""
    scenes = [draw_scene(seed, 'fields', 64) for seed in range(6)]
    apart = [np.abs(s.image.astype(float) - s.later)[s.change == 0].mean() for s in scenes]
    assert np.mean(apart) > 10


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ((0, 'castle'), r"'castle' names no scene class.*airport"),
        ((0, len(SCENE_CLASSES)), 'names no scene class'),
        ((-1, 0), 'seed -1'),
        ((0, 0, 8), 'size 8'),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw_scene(*arguments)


@pytest.mark.slow
def test_colour_histograms_do_not_solve_the_classes() -> None:
    train, val, count = 24, 8, len(SCENE_CLASSES)
    cells = [(seed, label) for seed in range(train + val) for label in range(count)]
    images = [draw_scene(seed, label, 64, later=False).image for seed, label in cells]
    for code in (None, cv2.COLOR_RGB2HSV):
        pictures = images if code is None else [cv2.cvtColor(image, code) for image in images]
        ranges = [0, 256 if code is None else 180, 0, 256, 0, 256]
        features = np.sqrt([cv2.calcHist([p], [0, 1, 2], None, [8, 8, 8], ranges).ravel() for p in pictures])
        names = np.array([label for _, label in cells])
        cut = train * count
        near = KNeighborsClassifier(10).fit(features[:cut], names[:cut])
        assert near.score(features[cut:], names[cut:]) < 0.45
