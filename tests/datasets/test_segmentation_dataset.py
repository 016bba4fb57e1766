"""Folders of images and masks are checked before anything is trained."""

import cv2
import numpy as np
import pytest

from cmid_mm.datasets.segmentation import ISPRSTiles, SegmentationDataset

NAMES = dict(classes=('land', 'water'), palette=[[0, 200, 0], [0, 0, 200]])
PREFIX = dict(img_path='img_dir/train', seg_map_path='ann_dir/train')


@pytest.fixture
def folder(tmp_path):
    """Three images, a JPEG among them, and their masks."""
    for kind, suffixes in (('img_dir', ('png', 'jpg', 'png')), ('ann_dir', ('png', 'png', 'png'))):
        (tmp_path / kind / 'train').mkdir(parents=True)
        for number, suffix in enumerate(suffixes):
            cv2.imwrite(str(tmp_path / kind / 'train' / f'{number}.{suffix}'), np.zeros((8, 8, 3), np.uint8))
    return tmp_path


def build(folder, **options):
    return SegmentationDataset(data_root=str(folder), data_prefix=PREFIX, metainfo=NAMES, **options)


def test_images_of_any_suffix_meet_their_masks_in_order(folder):
    samples = [build(folder).get_data_info(index) for index in range(3)]
    images = [sample['img_path'].removeprefix(f'{folder}/') for sample in samples]
    assert images == [f'img_dir/train/{name}' for name in ('0.png', '1.jpg', '2.png')]
    assert all(sample['seg_map_path'].endswith(f'ann_dir/train/{i}.png') for i, sample in enumerate(samples))


def test_an_empty_annotation_folder_stops_at_once(folder):
    for mask in (folder / 'ann_dir/train').iterdir():
        mask.unlink()
    with pytest.raises(ValueError, match='ann_dir/train of the masks is empty'):
        build(folder)


def test_a_missing_annotation_folder_is_named(folder):
    (folder / 'ann_dir/train').rename(folder / 'elsewhere')
    with pytest.raises(FileNotFoundError, match=r'there is no folder .*ann_dir/train of the masks; correct data_root'):
        build(folder)


def test_an_image_without_its_mask_is_named(folder):
    (folder / 'ann_dir/train/1.png').unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 3 samples, the first of them '1', have no file in .*ann_dir"):
        build(folder)


def test_a_list_chooses_and_never_leads_out_of_the_folder(folder):
    (folder / 'mine.txt').write_text('2\n0.png\n')
    assert len(build(folder, ann_file='mine.txt')) == 2
    (folder / 'mine.txt').write_text('../../secret\n')
    with pytest.raises(ValueError, match=r"'../../secret' leads out of the folders"):
        build(folder, ann_file='mine.txt')


@pytest.mark.parametrize(('name', 'number'), [('potsdam', 2), ('vaihingen', 2)])
def test_real_tiles_are_listed(data_root, name, number):
    dataset = ISPRSTiles(data_root=str(data_root / name), data_prefix=PREFIX)
    assert len(dataset) == number
    assert dataset.metainfo['classes'][:2] == ('impervious_surface', 'building')
    assert dataset.get_data_info(0)['reduce_zero_label']
