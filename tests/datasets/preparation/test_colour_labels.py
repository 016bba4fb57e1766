"""Colours of ISPRS labels: the class of mmsegmentation's palette, and nothing else passes for one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmseg.datasets import PotsdamDataset

from cmid_mm.datasets.preparation import PreparationError
from cmid_mm.datasets.preparation.colour_labels import COLOURS, encode_colours, refuse_unknown


def test_classes_have_the_colours_of_mmsegmentation():
    assert [list(colour) for colour in COLOURS[1:]] == PotsdamDataset.METAINFO['palette']
    assert encode_colours(np.array([COLOURS], np.uint8))[0].tolist() == [list(range(7))]


@given(st.lists(st.sampled_from([*COLOURS, (255, 0, 255), (252, 255, 0), (0, 0, 1)]), min_size=1, max_size=40))
def test_each_pixel_is_looked_up(colours):
    mask, unknown = encode_colours(np.array([colours], np.uint8))
    expected = [COLOURS.index(colour) if colour in COLOURS else 0 for colour in colours]
    assert mask.tolist() == [expected]
    assert unknown == sum(colour not in COLOURS for colour in colours)


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_no_other_colour_is_a_class(colour):
    # 2 r + 3 g + 4 b, by which mmsegmentation's converter tells colours, is the same for many.
    _, unknown = encode_colours(np.full((1, 1, 3), colour, np.uint8))
    assert unknown == (colour not in COLOURS)


def test_unknown_colours_are_listed_by_frequency():
    label = np.zeros((100, 100, 3), np.uint8)
    label[0, :3] = (252, 255, 0)
    label[1:21] = (255, 0, 255)
    with pytest.raises(
        PreparationError, match=r'2,000 pixels of the colour \(255, 0, 255\), 3 pixels of the colour \(252, 255, 0\)'
    ) as caught:
        refuse_unknown(label, 'label.tif', 'stop')
    assert str(caught.value).startswith('label.tif has ')
