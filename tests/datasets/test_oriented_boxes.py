"""Oriented boxes: what real and drawn labels hold, and the sentence for each label that is wrong."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmrotate.registry import DATASETS
from PIL import Image

import cmid_mm.with_mmrotate  # noqa: F401
from cmid_mm.datasets.oriented_boxes import _apart
from cmid_mm.datasets.scenes import write_scenes
from cmid_mm.datasets.scenes.plan import BOX_CLASSES

SHIP = '10 10 30 10 30 20 10 20 ship 0'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two images of 64 x 48 pixels with a ship each."""
    for name in ('b', 'a'):
        write(tmp_path, name, SHIP)
    return tmp_path


def write(root: Path, name: str, *lines: str) -> Path:
    for folder in ('images', 'labelTxt'):
        (root / folder).mkdir(exist_ok=True)
    Image.new('RGB', (64, 48)).save(root / 'images' / f'{name}.png')
    path = root / 'labelTxt' / f'{name}.txt'
    path.write_text(''.join(f'{line}\n' for line in lines))
    return path


def build(root: Path, **kwargs):
    folders = dict(ann_file='labelTxt', data_prefix=dict(img_path='images'))
    return DATASETS.build({'type': 'mmrotate.OrientedBoxes', 'data_root': str(root), **folders, **kwargs})


# ---- what is read


def test_real_boxes(data_root: Path) -> None:
    parts = [build(data_root / 'dota' / split, img_suffix='.jpg') for split in ('train', 'val')]
    infos = [part.get_data_info(index) for part in parts for index in range(len(part))]
    assert [info['img_id'] for info in infos[:5]] == sorted(info['img_id'] for info in infos[:5])
    assert [len(part) for part in parts] == [5, 3]
    assert sum(len(info['instances']) for info in infos) == 667
    first = infos[0]
    # It has DOTA's header, fractions of no pixel, and difficult ships.
    assert (first['img_id'], first['width'], first['height']) == ('P0706', 1111, 1182)
    assert first['instances'][0] == dict(
        bbox=[1054, 1028, 1063, 1011, 1111, 1040, 1112, 1062], bbox_label=6, ignore_flag=0
    )
    for info in infos:
        assert cv2.imread(info['img_path']).shape[:2] == (info['height'], info['width'])


def test_difficult_boxes_are_ignored_above_the_threshold(data_root: Path) -> None:
    instances = build(data_root / 'dota/train', img_suffix='jpg', diff_thr=0).get_data_info(0)['instances']
    assert [instances[index]['ignore_flag'] for index in (0, 1)] == [1, 0]


def test_order_is_that_of_names(root: Path) -> None:
    assert [build(root).get_data_info(index)['img_id'] for index in (0, 1)] == ['a', 'b']


def test_images_without_labels_are_all_taken(root: Path) -> None:
    (root / 'labelTxt/a.txt').unlink()
    dataset = build(root, ann_file='', test_mode=True)
    assert [dataset.get_data_info(index)['img_id'] for index in (0, 1)] == ['a', 'b']


def test_images_without_boxes_are_left_out_on_request(root: Path) -> None:
    write(root, 'empty', 'imagesource:GoogleEarth', 'gsd:null', '')
    assert len(build(root)) == 3
    assert len(build(root, filter_cfg=dict(filter_empty_gt=True))) == 2
    assert len(build(root, filter_cfg=dict(filter_empty_gt=True), test_mode=True)) == 3


def test_files_of_other_systems_are_read(root: Path) -> None:
    (root / 'labelTxt/a.txt').write_bytes(b'\xef\xbb\xbfimagesource:GoogleEarth\r\n' + SHIP.encode() + b'\r\n')
    (root / 'labelTxt/._a.txt').write_bytes(b'\x00\x05\x16\x07')
    assert len(build(root).get_data_info(0)['instances']) == 1


def test_drawn_scenes(tmp_path: Path) -> None:
    write_scenes(tmp_path / 's', num=32, size=96, tasks=['detection'])
    dataset = build(tmp_path / 's/detection/train', metainfo=dict(classes=BOX_CLASSES))
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    written = [line.split() for info in infos for line in _lines(info)]
    read = [instance for info in infos for instance in info['instances']]
    assert [BOX_CLASSES[instance['bbox_label']] for instance in read] == [words[8] for words in written]
    assert [instance['bbox'] for instance in read] == [[float(word) for word in words[:8]] for words in written]
    # A plane has the colour that it has in DOTA, and every class has one.
    assert dataset.metainfo['palette'][BOX_CLASSES.index('plane')] == (165, 42, 42)
    assert len(dataset.metainfo['palette']) == len(BOX_CLASSES)


def _lines(info: dict) -> list[str]:
    return Path(info['img_path'].replace('images', 'labelTxt')).with_suffix('.txt').read_text().splitlines()


def test_fewer_classes_need_the_others_named(root: Path) -> None:
    write(root, 'c', SHIP, SHIP.replace('ship', 'plane'))
    few = dict(metainfo=dict(classes=('plane',)))
    with pytest.raises(ValueError, match=r"a\.txt:1: the class 'ship' is none of plane; correct it, add it to"):
        build(root, **few)
    dataset = build(root, left_out=['ship'], filter_cfg=dict(filter_empty_gt=True), **few)
    assert len(dataset) == 1
    assert [instance['bbox_label'] for instance in dataset.get_data_info(0)['instances']] == [0]


# ---- what is refused


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('10 10 30 10 30 20 10 20 ship', r"b\.txt:2: read '10 10 30 10 30 20 10 20 ship' where 'x1 y1 "),
        ('10 10 30 10 30 20 10 ship 0', 'is expected; correct it'),
        ('10 10 30 10 30 20 10 20 ship 0 0', 'is expected; correct it'),
        ('10 10 30 10 30 20 10 x ship 0', 'is expected; correct it'),
        ('10 10 30 10 30 20 10 nan ship 0', 'is expected; correct it'),
        ('10 10 30 10 30 20 10 20 ship easy', 'is expected; correct it'),
        ('\x89PNG\x00', 'is expected; correct it'),
        ('10 10 30 10 30 20 10 20 boat 0', r"b\.txt:2: the class 'boat' is none of plane, baseball-diamond, .*, heli"),
        (
            '70.5 10 90 10 90 20 70.5 20 ship 0',
            r'b\.txt:2: the box 70\.5 10 90 10 90 20 70\.5 20 \(ship\) lies outside .*b\.png of 64 x 48 pixels',
        ),
        ('10 -20 30 -20 30 0 10 0 ship 0', 'lies outside'),
        # Its bounds reach over the corner of the image, the box does not.
        ('60 70 80 50 90 60 70 80 ship 0', 'lies outside'),
        ('10 10 30 10 30 10 10 10 ship 0', r'10 10 30 10 30 10 10 10 \(ship\) has no area'),
        ('10 10 20 20 30 30 40 40 ship 0', 'has no area'),
    ],
)
def test_wrong_lines_are_named(root: Path, line: str, message: str) -> None:
    write(root, 'b', SHIP, line)
    for test_mode in (False, True):
        with pytest.raises(ValueError, match=message) as raised:
            build(root, test_mode=test_mode)
        assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize('line', ['-8 -8 12 -8 12 12 -8 12 ship 0', '60 40 80 40 80 60 60 60 ship 2'])
def test_boxes_cut_by_the_edge_are_fine(root: Path, line: str) -> None:
    write(root, 'b', line)
    assert len(build(root).get_data_info(1)['instances']) == 1


def test_labels_of_another_image_are_found(data_root: Path, tmp_path: Path) -> None:
    """What the crop of P0004 came with: labels of the whole picture."""
    write(tmp_path, 'crop', '1054 1028 1063 1011 1111 1040 1112 1062 ship 1')
    for source in (data_root / 'unlabelled').glob('*.png'):
        with Image.open(source) as image:
            if max(image.size) < 500:
                (tmp_path / 'images/crop.png').write_bytes(source.read_bytes())
                break
    with pytest.raises(ValueError, match=r'crop\.txt:1: the box 1054 .* lies outside .*crop\.png of 2'):
        build(tmp_path)


@pytest.mark.parametrize(
    ('spoil', 'error', 'message'),
    [
        (
            lambda root: [path.unlink() for path in root.glob('labelTxt/*')],
            ValueError,
            r'labelTxt holds no label files',
        ),
        (
            lambda root: (root / 'labelTxt').rename(root / 'x'),
            FileNotFoundError,
            r'labelTxt is no folder of label files',
        ),
        (
            lambda root: [path.unlink() for path in root.glob('images/*')],
            ValueError,
            r'images holds no images \(\*\.png',
        ),
        (lambda root: (root / 'images').rename(root / 'x'), FileNotFoundError, r'images is no folder of images'),
        (lambda root: (root / 'images/a.png').unlink(), ValueError, r'a\.txt has no image .*as 1 of 2 files'),
        (lambda root: (root / 'labelTxt/a.txt').unlink(), ValueError, r'a\.png has no label file .*as 1 of 2 files'),
        (lambda root: (root / 'images/a.png').write_bytes(b'x'), ValueError, r'a\.png cannot be read as an image'),
    ],
)
def test_folders_that_do_not_fit_are_named(root: Path, spoil, error: type, message: str) -> None:
    spoil(root)
    with pytest.raises(error, match=message):
        build(root)


def test_labels_without_any_box_stop_the_training(root: Path) -> None:
    for name in ('a', 'b'):
        write(root, name)
    with pytest.raises(ValueError, match=r'none of the 2 label files in .*labelTxt has a box to train on'):
        build(root, filter_cfg=dict(filter_empty_gt=True))


@pytest.mark.parametrize('classes', ['ship', (), ('ship', 'ship')])
def test_wrong_classes_are_named(root: Path, classes) -> None:
    with pytest.raises(ValueError, match=r'metainfo of OrientedBoxes has classes='):
        build(root, metainfo=dict(classes=classes))


@given(
    centre=st.tuples(st.floats(-80, 140), st.floats(-80, 140)),
    sides=st.tuples(st.floats(2, 60), st.floats(2, 60)),
    angle=st.floats(0, 360),
)
def test_outside_means_that_no_area_is_shared(centre: tuple, sides: tuple, angle: float) -> None:
    box = (centre, sides, angle)
    _, shared = cv2.rotatedRectangleIntersection(box, ((32, 24), (64, 48), 0))
    area = 0.0 if shared is None else cv2.contourArea(cv2.convexHull(shared))
    # OpenCV computes in single precision.
    if area == 0 or area > 0.01:
        slightly = (
            cv2.boxPoints((centre, (sides[0] - 0.01, sides[1] - 0.01), angle)) if area == 0 else cv2.boxPoints(box)
        )
        assert _apart(np.array([slightly], float), 64, 48).item() == (area == 0)


# ---- in the whole program


@pytest.mark.slow
@pytest.mark.parametrize(
    ('lines', 'sentence'),
    [
        (None, 'labelTxt holds no label files'),
        (['1 2 3'], "a.txt:1: read '1 2 3' where"),
        ([SHIP.replace('ship', 'boat')], "a.txt:1: the class 'boat' is none of building, plane, storage_tank"),
        (['100 10 130 10 130 20 100 20 ship 0'], 'a.txt:1: the box 100 10 130 10 130 20 100 20 (ship) lies outside'),
    ],
)
def test_training_ends_with_the_sentence(tmp_path: Path, repo: Path, lines: list[str] | None, sentence: str) -> None:
    path = write(tmp_path, 'a', *(lines or []))
    if lines is None:
        path.unlink()
    data = f'data_root={tmp_path}', 'ann_file=labelTxt', 'data_prefix.img_path=images'
    options = [f'train_dataloader.dataset.{option}' for option in data]
    run = subprocess.run(
        [
            *(
                sys.executable,
                str(repo / 'tools/train.py'),
                str(repo / 'configs/detection/oriented-rcnn_r18_scenes.py'),
            ),
            *('--work-dir', str(tmp_path / 'work'), '--cfg-options', 'model.backbone.init_cfg=None', *options),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert 'Traceback' not in run.stderr
    assert run.stderr.splitlines()[-1].startswith('train: ')
    assert sentence in run.stderr.splitlines()[-1]
