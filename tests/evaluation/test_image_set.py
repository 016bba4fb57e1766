from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cmid_mm.evaluation import read_image_set, score_features


def _draw(folder, count, value=0):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.fromarray(np.full((40, 50 + i, 3), value + i, np.uint8)).save(folder / f'{i}.png')


def _read(root, tmp_path, seen=None, **options):
    counted = SimpleNamespace(advance=lambda steps: None)

    def bar(what, total):
        (seen if seen is not None else []).append(total)
        return nullcontext(counted)

    return read_image_set(root, 32, tmp_path / 'cache', bar, **options)


def test_classes_are_split_and_every_image_keeps_its_label(tmp_path):
    root = tmp_path / 'my images'
    for number, name in enumerate(('field', 'forest', 'river')):
        _draw(root / 'train' / name, 20, value=60 * number)
    _draw(root, 3, value=200)
    (root / 'broken.jpg').write_bytes(b'\xff\xd8\xff')
    seen = []
    images = _read(root, tmp_path, seen)
    assert seen == [64]
    assert images.classes == ['field', 'forest', 'river']
    labelled = images.labels >= 0
    assert (images.pixels[labelled][:, 0, 0, 0] // 60 == images.labels[labelled]).all()
    assert np.bincount(images.labels[images.test]).tolist() == [4, 4, 4]
    assert sorted([*images.train, *images.test]) == list(range(63))
    assert (len(images.train), len(images.scored)) == (51, 48)
    text = images.describe()
    assert '63 images' in text
    assert '1 unreadable files left out' in text
    assert 'broken.jpg' in text


def test_without_classes_everything_is_learned_from_and_shown(tmp_path):
    _draw(tmp_path / 'flat', 40)
    images = _read(tmp_path / 'flat', tmp_path, most=35, seed=1)
    assert images.labels is None
    assert len(images.train) == len(images.test) == 35
    assert 'drawn from 40 files' in images.describe()
    assert np.array_equal(images.places, _read(tmp_path / 'flat', tmp_path, most=35, seed=1).places)
    assert not np.array_equal(images.places, _read(tmp_path / 'flat', tmp_path, most=35, seed=2).places)


def test_folders_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(ValueError, match='gone is no folder'):
        _read(tmp_path / 'gone', tmp_path)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty'):
        _read(tmp_path / 'empty', tmp_path)
    (tmp_path / 'packed').mkdir()
    (tmp_path / 'packed' / 'data.mdb').touch()
    with pytest.raises(ValueError, match='packed is a pack, made for pretraining'):
        _read(tmp_path / 'packed', tmp_path)
    _draw(tmp_path / 'few', 31)
    with pytest.raises(ValueError, match='holds 31 readable images; give a folder with 32 or more'):
        _read(tmp_path / 'few', tmp_path)


def test_scores_of_tiny_sets_use_the_neighbours_there_are():
    features = np.concatenate([np.eye(2).repeat(3, axis=0), np.eye(2)]) + 0.01
    labels = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    score = score_features('toy', features, labels, np.array([0, 1, 3, 4, 5]), np.array([6, 7]))
    # All 5 training images vote, and class 1 has one more.
    assert score.knn == 0.5
    assert score.linear_probe == 1.0
