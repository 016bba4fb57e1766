"""Masks are loaded as mmseg loads them, and a label that is no class stops the run with its file."""

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from cmid_mm.datasets.segmentation import ISPRSTiles
from cmid_mm.datasets.transforms.label_maps import LoadLabelMap


def load(transform, path, reduce_zero_label=False, label_map=None):
    results = dict(seg_map_path=str(path), seg_fields=[], reduce_zero_label=reduce_zero_label, label_map=label_map)
    return transform(results)['gt_seg_map']


@pytest.fixture
def write(tmp_path):
    def _write(mask):
        path = tmp_path / 'mask.png'
        assert cv2.imwrite(str(path), mask)
        return path

    return _write


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mask=arrays(np.uint8, st.tuples(st.integers(2, 9), st.integers(2, 9)), elements=st.sampled_from([0, 1, 2, 3, 255])),
    reduce_zero_label=st.booleans(),
    label_map=st.sampled_from([None, {0: 0, 1: 255, 2: 1}]),
)
def test_it_loads_what_mmseg_loads(write, mask, reduce_zero_label, label_map):
    path = write(mask)
    expected = load(LoadAnnotations(), path, reduce_zero_label, label_map)
    assert np.array_equal(load(LoadLabelMap(num_classes=4), path, reduce_zero_label, label_map), expected)


def test_change_written_as_255_becomes_class_1(write):
    mask = np.array([[0, 255], [255, 0]], np.uint8)
    loaded = load(LoadLabelMap(num_classes=2, mapping={255: 1}), write(mask))
    assert np.array_equal(loaded, mask // 255)


def test_a_mask_of_one_bit_has_the_classes_0_and_1(tmp_path):
    mask = np.array([[0, 1, 1], [1, 0, 0]], bool)
    Image.fromarray(mask).save(tmp_path / 'mask.png')
    assert np.array_equal(load(LoadLabelMap(num_classes=2), tmp_path / 'mask.png'), mask.astype(np.uint8))


@pytest.mark.parametrize(
    ('mask', 'labels'),
    [
        (np.array([[0, 7], [9, 255]], np.uint8), r'\[7, 9\]'),
        (np.array([[0, 300]], np.uint16), r'\[300\]'),  # as 8 bits it would be class 44
    ],
)
def test_an_unknown_label_is_named_with_its_file(write, mask, labels):
    path = write(mask)
    with pytest.raises(ValueError, match=rf'{path} has pixels of the labels {labels}, none of the 6 classes'):
        load(LoadLabelMap(num_classes=6), path)


def test_a_colour_picture_is_no_mask(write):
    with pytest.raises(ValueError, match=r'picture of 3 channels and must be a mask of one.*tools/datasets/'):
        load(LoadLabelMap(num_classes=6), write(np.zeros((4, 4, 3), np.uint8)))


def test_potsdam_without_clutter_ignores_its_pixels(data_root):
    """The real masks, by the dataset of the config: five classes remain, clutter and boundaries are ignored."""
    five = ('impervious_surface', 'building', 'low_vegetation', 'tree', 'car')
    pipeline = [dict(type='LoadLabelMap', num_classes=6)]
    options = dict(
        data_root=str(data_root / 'potsdam'),
        data_prefix=dict(img_path='img_dir/train', seg_map_path='ann_dir/train'),
        pipeline=[dict(step, _scope_='mmseg') for step in pipeline],
    )
    six_classes, five_classes = ISPRSTiles(**options), ISPRSTiles(metainfo=dict(classes=five), **options)
    for with_clutter, without in zip(six_classes, five_classes, strict=True):
        all_six, kept = with_clutter['gt_seg_map'], without['gt_seg_map']
        assert set(np.unique(kept)) <= {0, 1, 2, 3, 4, 255}
        assert np.array_equal(kept, np.where(all_six == 5, 255, all_six))
