"""DOTA to tiles by mmrotate's tool: boxes where they were, complete, one error a fault."""

import zipfile

import cv2
import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmrotate.datasets import DOTADataset

from cmid_mm.datasets.decoding import UnreadableImageError
from cmid_mm.datasets.preparation import PreparationError, prepare_dota
from cmid_mm.datasets.preparation.dota import SINGLE_SCALE, check_tiles


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'data' / 'dota'


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_archives_to_what_mmrotate_reads(dota, out, pack):
    # As downloaded: parts of the images and the labels of each split in archives, upright boxes beside them.
    for split in ('train', 'val', 'test'):
        pack(dota / split / 'images', 'images.zip')
        for path in (dota / split / 'images').iterdir():
            path.unlink()
    (dota / 'train' / 'labelTxt').rename(dota / 'train' / 'labelTxt-v1.0')
    pack(dota / 'train' / 'labelTxt-v1.0', 'labelTxt.zip').rename(dota / 'train' / 'labelTxt-v1.0' / 'labelTxt.zip')
    (dota / 'train' / 'labelTxt-v1.0' / 'P0000.txt').unlink()
    upright = dota / 'train' / 'Train_Task2_gt' / 'trainset_reclabelTxt'
    upright.mkdir(parents=True)
    (upright / 'P0000.txt').write_text('wrong\n')

    outcome = prepare_dota([dota], out, workers=2)
    assert 'trainval: 4 tiles of 2 images' in str(outcome)
    assert names(out) == ['prepared.json', 'test', 'trainval']
    tiles = [f'P000{number}__1024__{x}___0' for number in range(2) for x in (0, 276)]
    assert names(out / 'trainval') == ['images', 'labelTxt']
    assert names(out / 'trainval/images') == [f'{tile}.png' for tile in tiles]
    assert names(out / 'test/images') == ['P0002__1024__0___0.png', 'P0002__1024__276___0.png']

    init_default_scope('mmrotate')
    dataset = DOTADataset(
        data_root=str(out), ann_file='trainval/labelTxt', data_prefix=dict(img_path='trainval/images'), pipeline=[]
    )
    boxes = {info['img_id']: [(box['bbox_label'], box['bbox']) for box in info['instances']] for info in dataset}
    ship, harbor = (dataset.metainfo['classes'].index(name) for name in ('ship', 'harbor'))
    for number in range(2):
        assert boxes[f'P000{number}__1024__0___0'] == [(ship, [300, 500, 340, 500, 340, 520, 300, 520])]
        assert boxes[f'P000{number}__1024__276___0'] == [
            (harbor, [924, 100, 974, 100, 974, 140, 924, 140]),
            (ship, [24, 500, 64, 500, 64, 520, 24, 520]),
        ]


def test_tiles_hold_the_pixels_of_the_image(dota, out):
    prepare_dota([dota], out)
    image = cv2.imread(str(dota / 'test/images/P0002.png'))
    for x in (0, 276):
        tile = cv2.imread(str(out / f'test/images/P0002__1024__{x}___0.png'))
        assert tile.shape == (1024, 1024, 3)
        assert np.array_equal(tile[:900], image[:, x : x + 1024])


def test_three_scales(dota, out):
    # A window of 2048 is used only where the image fills most of it.
    cv2.imwrite(str(dota / 'train/images/P0000.png'), np.zeros((1700, 1900, 3), np.uint8))
    outcome = prepare_dota([dota / 'train', dota / 'val', dota / 'test'], out, multi_scale=True)
    sizes = {name.split('__')[1] for name in names(out / 'trainval/images')}
    assert sizes == {'2048', '1024', '682'}
    assert outcome.written == 2
    with pytest.raises(PreparationError, match=r'prepared\.json says gap=500 where 200 is asked for'):
        prepare_dota([dota], out)


def test_a_second_run_does_nothing_and_an_interrupted_one_is_completed(dota, out, contents, times):
    prepare_dota([dota], out)
    before, whole = times(out), contents(out)
    outcome = prepare_dota([dota], out)
    assert (outcome.written, outcome.kept) == (0, 2)
    assert times(out) == before
    (out / 'trainval/images/P0001__1024__276___0.png').unlink()
    (out / '.work/tiles/images').mkdir(parents=True)
    (out / '.work/train/images').mkdir(parents=True)
    (out / '.work/train/images/.P0000.png.part').write_bytes(b'half')
    outcome = prepare_dota([dota], out)
    assert (outcome.written, outcome.kept) == (1, 1)
    assert contents(out) == whole


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('1 2 3 4 5 6 7 8 ship', r"P0001\.txt:2: '1 2 3 4 5 6 7 8 ship' is not of the form"),
        ('1 2 3 4 5 6 7 eight ship 0', r'P0001\.txt:2: .* is not of the form'),
        ('1 2 3 4 5 6 7 nan ship 0', r'P0001\.txt:2: .* is not of the form'),
        ('1 2 3 4 5 6 7 8 ship easy', r'P0001\.txt:2: .* is not of the form'),
        ('1 2 3 4 5 6 7 8 container-crane 0', r"P0001\.txt:2: 'container-crane' is no class of DOTA-v1\.0"),
        ('9000 2 9001 2 9001 3 9000 3 ship 0', r'P0001\.txt: all 1 boxes lie outside its image of 1300 x 900'),
    ],
)
def test_a_wrong_label_names_file_and_line(dota, out, line, message):
    (dota / 'val/labelTxt/P0001.txt').write_text(f'gsd:null\n{line}\n')
    with pytest.raises(PreparationError, match=message):
        prepare_dota([dota], out)
    assert not out.exists()


def test_missing_files_are_named_and_nothing_is_written(dota, out, tmp_path):
    label = dota / 'val/labelTxt/P0001.txt'
    text = label.read_text()
    label.unlink()
    with pytest.raises(PreparationError, match=r'val/images/P0001\.png has no label file in labelTxt'):
        prepare_dota([dota], out)
    label.write_text(text)
    (dota / 'val/labelTxt/P0007.txt').write_text(text)
    with pytest.raises(PreparationError, match=r'P0007\.txt has no image'):
        prepare_dota([dota], out)
    (dota / 'val/labelTxt/P0007.txt').unlink()
    (dota / 'test').rename(tmp_path / 'elsewhere')
    with pytest.raises(PreparationError, match='has no images of test; add them, or go on with --allow-missing'):
        prepare_dota([dota], out)
    with pytest.raises(PreparationError, match=r'holds no {train,val,test}/images of DOTA'):
        prepare_dota([tmp_path / 'elsewhere'], out)
    image = dota / 'val/images/P0001.png'
    whole = image.read_bytes()
    middle = len(whole) // 2
    jpeg = cv2.imencode('.jpg', np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    for name, data in {
        'P0001.png': b'no picture',
        'P0001.jpg': jpeg[:-20],
    }.items():
        image.unlink()
        image = dota / 'val/images' / name
        image.write_bytes(data)
        with pytest.raises(UnreadableImageError, match=rf'{name} cannot be read'):
            prepare_dota([dota], out, allow_missing=True)
    image.unlink()
    image = dota / 'val/images/P0001.png'
    image.write_bytes(whole[:-40])
    with pytest.raises(UnreadableImageError, match=r'P0001\.png cannot be read'):
        prepare_dota([dota], out, allow_missing=True)
    image.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    with pytest.raises(UnreadableImageError, match=r'P0001\.png cannot be read'):
        prepare_dota([dota], out, allow_missing=True)
    assert not out.exists()
    image.write_bytes(whole)
    assert 'has no images of test' in str(prepare_dota([dota], out, allow_missing=True))


def test_damage_in_an_archive_stops_the_unpacking(dota, out, pack):
    archive = pack(dota / 'val')
    for path in sorted((dota / 'val').rglob('*'), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (dota / 'val').rmdir()
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as whole:
        member = whole.getinfo('images/P0001.png')
    data[member.header_offset + member.compress_size // 2] ^= 255
    archive.write_bytes(data)
    with pytest.raises((PreparationError, UnreadableImageError), match=r'val\.zip/images/P0001\.png cannot be read'):
        prepare_dota([dota], out)
    assert not (out / 'trainval').exists()


def test_incomplete_tiles_are_found(dota, out):
    prepare_dota([dota], out)
    with pytest.raises(PreparationError, match='P0009 came out without tiles'):
        check_tiles(out / 'trainval', ['P0000', 'P0001', 'P0009'], SINGLE_SCALE)
    (out / 'trainval/labelTxt/P0000__1024__0___0.txt').unlink()
    with pytest.raises(PreparationError, match=r'P0000__1024__0___0 .* lack image or label'):
        check_tiles(out / 'trainval', ['P0000', 'P0001'], SINGLE_SCALE)


def test_the_real_sample(data_root, out):
    outcome = prepare_dota([data_root / 'dota'], out, allow_missing=True, workers=2)
    assert outcome.written == 1
    boxes = [line.split() for path in (out / 'trainval/labelTxt').iterdir() for line in path.read_text().splitlines()]
    # 667 boxes in 8 images, of which P0706 (1111 x 1182) is cut: a box in its overlap counts in each tile.
    assert len(boxes) >= 0.9 * 667
    assert {len(box) for box in boxes} == {10}
