"""Folders of change: CDD's layout, others by config, and what is wrong said at the start."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

import cmid_mm.with_mmseg  # noqa: F401
from cmid_mm.datasets.change import ChangeDataset

PIPELINE = [
    dict(type='LoadImagePair'),
    dict(type='LoadLabelMap', num_classes=2, mapping={255: 1}),
    dict(type='PackSegInputs', meta_keys=('img_path', 'img_path2', 'seg_map_path')),
]


@pytest.fixture(autouse=True)
def _mmseg_scope(_registry_scope) -> None:
    init_default_scope('mmseg')


def build(root: Path, **kwargs) -> ChangeDataset:
    return DATASETS.build(dict(type='ChangeDataset', data_root=str(root), **kwargs))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six samples, the images of number i filled with i (first date) and 100 + i (second)."""
    for number in (3, 11, 1, 20, 2, 10):
        for part, value in (('A', number), ('B', 100 + number), ('OUT', 255)):
            (tmp_path / part).mkdir(exist_ok=True)
            shape = (8, 8) if part == 'OUT' else (8, 8, 3)
            suffix = 'png' if part == 'OUT' else ('tif', 'png', 'png')[number % 3]
            cv2.imwrite(str(tmp_path / part / f'{number}.{suffix}'), np.full(shape, value, np.uint8))
    return tmp_path


@pytest.mark.parametrize(
    ('name', 'split', 'count'), [('levir_cd', 'train', 3), ('levir_cd', 'test', 4), ('dsifn', 'train', 5)]
)
def test_real_triples_are_read(data_root: Path, name: str, split: str, count: int) -> None:
    dataset = build(data_root / name / split, pipeline=PIPELINE)
    assert len(dataset) == count
    for number in range(count):
        sample = dataset[number]
        assert sample['inputs'].shape == (6, 256, 256)
        meta, label = sample['data_samples'].metainfo, sample['data_samples'].gt_sem_seg.data
        files = [Path(meta[key]) for key in ('img_path', 'img_path2', 'seg_map_path')]
        assert [path.parent.name for path in files] == ['A', 'B', 'OUT']
        assert len({path.stem for path in files}) == 1
        mask = cv2.imread(str(files[2]), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(label[0].numpy(), mask == 255)


def test_samples_are_sorted_and_belong_together(folder: Path) -> None:
    dataset = build(folder, pipeline=PIPELINE)
    assert [Path(dataset.get_data_info(i)['img_path']).stem for i in range(6)] == ['1', '10', '11', '2', '20', '3']
    for number in range(6):
        sample = dataset[number]
        value = int(Path(sample['data_samples'].img_path).stem)
        assert (sample['inputs'][:3] == value).all()
        assert (sample['inputs'][3:] == 100 + value).all()
        assert (sample['data_samples'].gt_sem_seg.data == 1).all()
    assert dataset.metainfo['classes'] == ('unchanged', 'changed')


def test_layouts_are_a_matter_of_config(folder: Path) -> None:
    """LEVIR-CD calls its masks label; cut versions keep all splits in one folder beside lists of names."""
    (folder / 'OUT').rename(folder / 'label')
    (folder / 'list').mkdir()
    (folder / 'list/train.txt').write_text('10.png\n3.tif\n\n1\n')
    prefix = dict(img_path='A', img_path2='B', seg_map_path='label')
    dataset = build(folder, data_prefix=prefix, ann_file='list/train.txt')
    assert [Path(dataset.get_data_info(i)['seg_map_path']).stem for i in range(len(dataset))] == ['1', '10', '3']
    assert len(build(folder, data_prefix=prefix)) == 6
    assert 'seg_map_path' not in build(folder, data_prefix=dict(img_path='A', img_path2='B')).get_data_info(0)


def test_suffixes_can_tell_the_dates_apart(folder: Path) -> None:
    for part in ('A', 'B', 'OUT'):
        for path in (folder / part).iterdir():
            path.rename(folder / f'{path.stem}_{part.lower()}.PNG')
    (folder / 'notes.txt').touch()
    dataset = build(
        folder,
        data_prefix=dict(img_path='', img_path2='', seg_map_path=''),
        img_suffix='_a.png',
        img_suffix2='_b.png',
        seg_map_suffix='_out.png',
    )
    assert len(dataset) == 6
    assert Path(dataset.get_data_info(1)['img_path2']).name == '10_b.PNG'


@pytest.mark.parametrize(('part', 'what'), [('A', 'first dates'), ('B', 'second dates'), ('OUT', 'masks')])
def test_missing_files_are_counted_and_the_first_is_named(folder: Path, part: str, what: str) -> None:
    for number in (2, 11):
        next((folder / part).glob(f'{number}.*')).unlink()
    with pytest.raises(FileNotFoundError, match=rf"2 of 6 samples, the first of them '11', .*/{part}, .* {what}"):
        build(folder)
    for path in (folder / part).iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=rf'/{part} of the {what} is empty'):
        build(folder)
    shutil.rmtree(folder / part)
    with pytest.raises(FileNotFoundError, match=rf'there is no folder .*/{part} of the {what}'):
        build(folder)


def test_lists_are_checked(folder: Path) -> None:
    names = folder / 'names.txt'
    with pytest.raises(FileNotFoundError, match=r'no list of samples .*names\.txt'):
        build(folder, ann_file='names.txt')
    names.write_text('\n \n')
    with pytest.raises(ValueError, match=r'names\.txt names no sample'):
        build(folder, ann_file='names.txt')
    names.write_text('1\n99.png\n')
    with pytest.raises(FileNotFoundError, match="1 of 2 samples, the first of them '99'"):
        build(folder, ann_file='names.txt')
    for line in ('../A/1.png', '/etc/passwd', 'x/../../1', r'..\A\1.png', r'C:\1.png'):
        names.write_text(f'1\n{line}\n')
        with pytest.raises(ValueError, match='leads out of the folders'):
            build(folder, ann_file='names.txt')


def test_two_files_of_one_name_are_refused(folder: Path) -> None:
    shutil.copy(folder / 'A/1.png', folder / 'A/1.jpg')
    with pytest.raises(ValueError, match=r'1\.jpg and .*1\.png have the same name'):
        build(folder)


def test_a_transform_that_cannot_take_pairs_stops_the_start(folder: Path) -> None:
    with pytest.raises(ValueError, match='PhotoMetricDistortion takes one image'):
        build(folder, pipeline=[*PIPELINE, dict(type='PhotoMetricDistortion')])


def test_a_mask_of_other_values_is_named(folder: Path) -> None:
    cv2.imwrite(str(folder / 'OUT/2.png'), np.full((8, 8), 77, np.uint8))
    dataset = build(folder, pipeline=PIPELINE)
    with pytest.raises(ValueError, match=r'2\.png .*77'):
        dataset[3]
