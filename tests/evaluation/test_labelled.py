import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cmid_mm.evaluation import labels_from_folders, split_by_class


def test_class_is_the_first_folder_that_is_no_part():
    paths = [f'train/forest/{i}.png' for i in range(3)] + ['val/forest/4.png', 'forest/2019/5.png']
    paths += [f'river/{i}.png' for i in range(5)]
    labels, classes = labels_from_folders(paths)
    assert classes == ['forest', 'river']
    assert labels.tolist() == [0] * 5 + [1] * 5


def test_small_classes_and_loose_images_have_no_label():
    paths = [f'b/{i}.png' for i in range(5)] + [f'c/{i}.png' for i in range(6)]
    labels, classes = labels_from_folders([*paths, 'rare/0.png', 'images/0.png', '0.png'])
    assert classes == ['b', 'c']
    assert labels[-3:].tolist() == [-1, -1, -1]


def test_parts_of_a_data_set_are_no_classes():
    paths = [f'img_dir/{part}/{i}.png' for part in ('train', 'val') for i in range(9)]
    assert labels_from_folders(paths) is None
    assert labels_from_folders([f'{i}.png' for i in range(50)]) is None
    assert labels_from_folders([f'only/{i}.png' for i in range(50)]) is None


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(5, 40), min_size=2, max_size=8),
    loose=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_split_holds_every_class_on_both_sides(counts, loose, seed):
    labels = np.concatenate([np.repeat(np.arange(len(counts)), counts), np.full(loose, -1)])
    labels = np.random.default_rng(seed).permutation(labels)
    train, test = split_by_class(labels, seed=seed)
    assert sorted([*train, *test]) == np.flatnonzero(labels >= 0).tolist()
    assert set(labels[train]) == set(labels[test]) == set(range(len(counts)))
    assert np.array_equal(test, split_by_class(labels, seed=seed)[1])
