"""The data set of images: parts, labels, samples that only seeds decide, and bad files."""

import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmpretrain.registry import DATASETS
from PIL import Image

from cmid_mm.datasets import SeededIndex, UnlabelledImages
from cmid_mm.datasets.unlabelled import _coprime

PIPELINE = [
    {'type': 'LoadAerialImage', 'crop_size': 64},
    {'type': 'RandomResizedCrop', 'scale': 64},
    {'type': 'RandomFlip', 'prob': 0.5},
    {'type': 'PackInputs'},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten small images in two classes, of which image i is filled with the value 10 i."""
    for number in range(10):
        path = tmp_path / 'images' / ('odd' if number % 2 else 'even') / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (70, 70), (10 * number,) * 3).save(path)
    return tmp_path / 'images'


def build(root: Path, **kwargs) -> UnlabelledImages:
    config = {'type': 'UnlabelledImages', 'data_root': str(root), 'cache': str(root.parent / 'c')}
    return DATASETS.build({**config, **kwargs})


def shades(dataset: UnlabelledImages, indices: list) -> list[int]:
    return [int(dataset[i]['inputs'].max()) // 10 for i in indices]


def spoil(root: Path, *numbers: int) -> None:
    for number in numbers:
        path = root / ('odd' if number % 2 else 'even') / f'{number}.png'
        path.write_bytes(path.read_bytes()[:60])


# ---- real images


def test_classes_and_labels_of_ucmerced(data_root: Path, tmp_path: Path) -> None:
    dataset = build(data_root / 'ucmerced', with_labels=True, cache=str(tmp_path))
    assert len(dataset) == 1575
    assert len(dataset.classes) == 21
    assert dataset.metainfo['classes'] == dataset.classes == dataset.CLASSES
    assert np.bincount(dataset.labels).tolist() == [75] * 21
    for number in (0, 700, 1574):
        info = dataset.get_data_info(number)
        assert Path(info['img_path']).parent.name == dataset.classes[info['gt_label']]
        assert info['gt_label'] == dataset.labels[number]


def test_all_real_images_load(data_root: Path, tmp_path: Path) -> None:
    roots = [str(data_root / name) for name in ('unlabelled', 'geo', 'potsdam', 'dota')]
    dataset = build(data_root, data_root=roots, pipeline=PIPELINE, cache=str(tmp_path))
    assert len(dataset) > 20
    for number in range(len(dataset)):
        sample = dataset[SeededIndex(number, number)]
        assert sample['inputs'].shape == (3, 64, 64)
        assert 'unreadable' not in sample['data_samples'].metainfo
        assert sample['data_samples'].img_path.startswith(str(data_root))


@pytest.mark.parametrize('start', ['fork', pytest.param('spawn', marks=pytest.mark.slow)])
def test_workers_do_not_change_samples(data_root: Path, tmp_path: Path, start: str, same_by_workers: Callable) -> None:
    beach = {
        'data_root': str(data_root / 'ucmerced' / 'beach'),
        'pipeline': PIPELINE,
        'indices': 10,
        'cache': str(tmp_path),
    }
    batches = same_by_workers(beach, start)
    assert len(batches) == 4
    assert not torch.equal(batches[0][1], batches[2][1])


# ---- seeds


def test_sample_depends_on_seed_only(folder: Path) -> None:
    dataset = build(folder, pipeline=PIPELINE)
    dataset.pipeline.transforms.insert(1, noise)
    first = dataset[SeededIndex(3, 7)]['inputs']
    np.random.rand()
    assert torch.equal(dataset[SeededIndex(3, 7)]['inputs'], first)
    assert not torch.equal(dataset[SeededIndex(3, 8)]['inputs'], first)


def noise(results: dict) -> dict:
    total = np.random.randint(99) + random.randrange(99) + torch.randint(99, ()).item()
    results['img'] = np.full_like(results['img'], total % 256)
    return results


def test_plain_index_draws_from_the_process(folder: Path) -> None:
    dataset = build(folder, pipeline=PIPELINE)
    dataset.pipeline.transforms.insert(1, noise)
    assert len({int(dataset[3]['inputs'].max()) for _ in range(8)}) > 1


# ---- parts


@given(fraction=st.floats(0.1, 0.9), seed=st.integers(0, 2**32 - 1))
def test_subset_and_rest_share_nothing(tmp_path_factory: pytest.TempPathFactory, fraction: float, seed: int) -> None:
    root = tmp_path_factory.getbasetemp() / 'names'
    if not root.exists():
        root.mkdir()
        for number in range(30):
            (root / f'{number}.jpg').touch()
    split = {'fraction': fraction, 'seed': seed}
    part = build(root, subset=split)
    rest = build(root, subset={**split, 'rest': True})
    first = {part.get_data_info(i)['img_path'] for i in range(len(part))}
    second = {rest.get_data_info(i)['img_path'] for i in range(len(rest))}
    assert len(first) == len(part) == round(30 * fraction)
    assert len(first | second) == 30
    assert not first & second


def test_subset_is_the_same_for_ever(folder: Path) -> None:
    part = build(folder, subset={'fraction': 0.5, 'seed': 1}, with_labels=True)
    assert [Path(part.get_data_info(i)['img_path']).stem for i in range(5)] == FROZEN
    assert part.labels.tolist() == [int(stem) % 2 for stem in FROZEN]


FROZEN = ['0', '4', '8', '3', '9']


def test_indices(folder: Path) -> None:
    assert shades(build(folder, pipeline=PIPELINE, indices=2), [0, 1, -1]) == [0, 2, 2]
    assert shades(build(folder, pipeline=PIPELINE, indices=[9, 1]), [0, 1]) == [9, 2]
    with pytest.raises(IndexError, match='image 2 of 2'):
        build(folder, indices=2).get_data_info(2)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'subset': {'fraction': 2}}, 'subset of UnlabelledImages is'),
        ({'subset': {'share': 0.5}}, 'subset of UnlabelledImages is'),
        ({'subset': {'fraction': 0.0}}, 'leave none of the 10 images'),
        ({'indices': [3, 10]}, 'from 3 to 10, but there are 10'),
        ({'data_root': []}, 'names no folder'),
        ({'list_file': ['a', 'b']}, 'names 2 files and data_root 1 folders'),
        ({'with_labels': True, 'metainfo': {'classes': ['odd']}}, 'the folders even in'),
    ],
)
def test_wrong_arguments_are_named(folder: Path, kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(folder, **kwargs)


def test_image_without_a_class_folder(folder: Path) -> None:
    Image.new('RGB', (64, 64)).save(folder / 'loose.png')
    assert len(build(folder)) == 11
    with pytest.raises(ValueError, match=r'loose\.png lies in no sub-folder'):
        build(folder, with_labels=True)
    with pytest.raises(AttributeError, match='with_labels=True'):
        build(folder).labels  # noqa: B018


def test_label_reaches_the_data_sample(folder: Path) -> None:
    dataset = build(folder, pipeline=PIPELINE, with_labels=True)
    assert [dataset[i]['data_samples'].gt_label.item() for i in (0, 9)] == [0, 1]
    assert pickle.loads(pickle.dumps(dataset)).classes == ('even', 'odd')


# ---- unreadable files


def test_unreadable_image_is_replaced_and_named(folder: Path) -> None:
    spoil(folder, 4)
    dataset = build(folder, pipeline=PIPELINE)
    sample = dataset[SeededIndex(2, 0)]
    [(path, reason)] = sample['data_samples'].metainfo['unreadable']
    assert path == str(folder / 'even' / '4.png')
    assert 'truncated' in reason or 'image file' in reason
    assert sample['data_samples'].img_path != path
    again = dataset[SeededIndex(2, 0)]
    assert torch.equal(again['inputs'], sample['inputs'])
    assert again['data_samples'].img_path == sample['data_samples'].img_path


def test_one_readable_image_is_enough_for_the_data_set(folder: Path) -> None:
    spoil(folder, *range(9))
    dataset = build(folder, pipeline=PIPELINE)
    assert shades(dataset, list(range(10))) == [9] * 10


def test_none_readable_stops(folder: Path) -> None:
    spoil(folder, *range(10))
    with pytest.raises(RuntimeError, match=r'none of the 10 images in .*images could be read'):
        build(folder, pipeline=PIPELINE)[3]


def test_many_unreadable_in_a_row_stop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(folder, *range(9))
    monkeypatch.setattr(UnlabelledImages, 'max_unreadable', 3)
    dataset = build(folder, pipeline=PIPELINE)
    with pytest.raises(RuntimeError, match=r'3 of the 10 images in .* not be read, in a row'):
        shades(dataset, range(10))


@given(size=st.integers(1, 2000))
def test_replacements_visit_every_image(size: int) -> None:
    step = _coprime(size)
    assert len({attempt * step % size for attempt in range(size)}) == size


def test_an_image_without_the_bands_is_replaced_and_wrong_bands_stop(folder: Path, tmp_path: Path) -> None:
    """One odd file among a million does not end a run; a wrong configuration does, with the reason."""
    pipeline = [{'type': 'LoadAerialImage', 'bands': [3]}, {'type': 'PackInputs'}]
    Image.new('RGBA', (70, 70), (1, 2, 3, 40)).save(folder / 'odd' / '3.png')
    sample = build(folder, pipeline=pipeline)[0]
    assert int(sample['inputs'].max()) == 40
    assert all('bands=(3,) are asked of it' in reason for _, reason in sample['data_samples'].metainfo['unreadable'])
    (folder / 'odd' / '3.png').unlink()
    with pytest.raises(RuntimeError, match=r'none of the 9 images .*bands=\(3,\) are asked of it.* correct bands'):
        build(folder, pipeline=pipeline)[0]
