"""Packs: what they keep of images, and that pretraining reads them as it reads the folder."""

import json
import math
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import lmdb
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.fileio import LmdbBackend
from PIL import Image

from cmid_mm.datasets import SeededIndex, UnlabelledImages
from cmid_mm.datasets.packed import Pack, PackError, key_of
from cmid_mm.datasets.preparation.pack import pack_images
from cmid_mm.datasets.preparation.pack_form import PackForm
from cmid_mm.datasets.transforms.views import RandomResizedCropWithPositions

SMALL = PackForm(crop_size=64)
PIPELINE = [
    {'type': 'LoadAerialImage', 'crop_size': 64},
    {'type': 'RandomResizedCrop', 'scale': 64},
    {'type': 'RandomFlip', 'prob': 0.5},
    {'type': 'PackInputs'},
]
# Height and width, on both sides of what is shrunk for crops of 64 (a square of 135 pixels), and extreme aspects.
SIZES = [(40, 60), (64, 64), (135, 135), (136, 136), (300, 200), (200, 900), (63, 900), (517, 641), (1100, 1000)]


def texture(height: int, width: int, seed: int) -> Image.Image:
    """Colours that change slowly, with finer ones on them."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    fine = generator.integers(0, 256, (max(2, height // 8), max(2, width // 8), 3), dtype=np.uint8)
    layers = [Image.fromarray(layer).resize((width, height), Image.Resampling.BICUBIC) for layer in (coarse, fine)]
    return Image.blend(*layers, 0.3)


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where ``folder`` and ``packed`` are copied from."""
    root = tmp_path_factory.mktemp('made')
    for number, size in enumerate(SIZES):
        for suffix in ('jpg', 'png', 'tif'):
            path = root / 'images' / ('odd' if number % 2 else 'even') / f'{number}.{suffix}'
            path.parent.mkdir(parents=True, exist_ok=True)
            texture(*size, number).save(path)
    pack(root / 'images')
    return root


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """Images of :data:`SIZES` as JPEG, PNG and TIFF, in two classes."""
    return shutil.copytree(made / 'images', tmp_path / 'images')


@pytest.fixture
def packed(made: Path, folder: Path) -> Path:
    """The pack of ``folder``, beside it."""
    return shutil.copytree(made / 'images.lmdb', folder.parent / 'images.lmdb')


def pack(folder: Path, name: str = 'images.lmdb', form: PackForm = SMALL, **options) -> Path:
    out = folder.parent / name
    pack_images([folder], out, form=form, cache=str(folder.parent / 'cache'), **options)
    return out


def build(root: Path | list, **kwargs) -> UnlabelledImages:
    roots = root if isinstance(root, list) else [root]
    return UnlabelledImages([str(r) for r in roots], **{'cache': str(roots[0].parent / 'cache'), **kwargs})


def below(dataset: UnlabelledImages, root: Path) -> list[str]:
    return [os.path.relpath(dataset.get_data_info(i)['img_path'], root) for i in range(len(dataset))]


# ---- what is kept


@given(
    height=st.integers(1, 30_000),
    width=st.integers(1, 30_000),
    crop=st.integers(16, 512),
    least=st.floats(0.05, 1),
    share=st.floats(0, 1),
    ratio=st.floats(3 / 4, 4 / 3),
)
def test_no_crop_is_enlarged_because_of_packing(
    height: int, width: int, crop: int, least: float, share: float, ratio: float
) -> None:
    packed_height, packed_width = PackForm(crop, least).target(height, width)
    assert packed_height <= height
    assert packed_width <= width
    area = least + share * (1 - least)

    def sides(h: int, w: int) -> tuple[float, float]:
        """Of a crop; of the largest one where that is longer than the image."""
        return min(h, math.sqrt(area * h * w / ratio)), min(w, math.sqrt(area * h * w * ratio))

    for before, after in zip(sides(height, width), sides(packed_height, packed_width), strict=True):
        assert after >= min(before, crop) * (1 - 1e-9)


@given(height=st.integers(1, 30_000), width=st.integers(1, 30_000))
def test_images_are_shrunk_uniformly_and_as_far_as_allowed(height: int, width: int) -> None:
    packed_height, packed_width = PackForm().target(height, width)
    if (packed_height, packed_width) == (height, width):
        return
    factor = height / packed_height
    # Rounding up keeps each side within a pixel of the exact size.
    assert abs(width / factor - packed_width) <= max(1, packed_width / packed_height) + 1e-9
    exact = min(math.sqrt(0.3 * height * width * 3 / 4), height, width) / 224
    assert packed_height - 1 < height / exact <= packed_height + 1e-6


def test_crops_drawn_from_a_pack_are_large_enough(folder: Path, packed: Path) -> None:
    crop = RandomResizedCropWithPositions(64, stride=32)
    files, images = build(folder, pipeline=PIPELINE[:1]), build(packed, pipeline=PIPELINE[:1])
    for number in range(len(files)):
        height, width = files[number]['ori_shape']
        smallest = min(64, min(height, width), math.sqrt(0.3 * height * width * 3 / 4) - 1)
        image = images[number]['img']
        for _ in range(50):
            assert min(crop.rand_crop_params(image)[2:]) >= smallest


def test_jpeg_that_is_not_shrunk_keeps_its_bytes(folder: Path, packed: Path) -> None:
    images = Pack(str(packed))
    kept = 0
    for number in range(len(images)):
        path, data = folder / images.relative(number), images.stored(number)
        size = SIZES[int(path.stem)]
        if path.suffix == '.jpg' and SMALL.target(*size) == size:
            assert data == path.read_bytes()
            kept += 1
        assert Image.open(BytesIO(data)).size == SMALL.target(*size)[::-1]
    assert kept == 4


def test_lossless_packs_keep_the_pixels(folder: Path) -> None:
    images = Pack(str(pack(folder, 'other.lmdb', form=PackForm(64, lossless=True))))
    for number in range(len(images)):
        path = folder / images.relative(number)
        size = SIZES[int(path.stem)]
        if SMALL.target(*size) == size:
            pixels = np.asarray(Image.open(BytesIO(images.stored(number))))
            assert np.array_equal(pixels, np.asarray(Image.open(path)))


def test_views_look_like_views_of_the_file(data_root: Path, tmp_path: Path) -> None:
    out = tmp_path / 'dota.lmdb'
    pack_images([data_root / 'dota'], out, cache=str(tmp_path))
    files, images = build(data_root / 'dota', cache=str(tmp_path)), Pack(str(out))
    generator = np.random.default_rng(0)
    for number in range(len(images)):
        file = Image.open(files.get_data_info(number)['img_path']).convert('RGB')
        image = Image.open(BytesIO(images.stored(number)))
        assert max(image.size) < 530 < 1024 <= max(file.size)
        for _ in range(5):
            top, left = generator.uniform(0, 0.4, 2)
            views = []
            for picture in (file, image):
                box = (left * picture.width, top * picture.height)
                box = (*box, box[0] + 0.6 * picture.width, box[1] + 0.6 * picture.height)
                view = picture.resize((224, 224), Image.Resampling.BILINEAR, box)
                views.append(np.asarray(view, np.float64))
            error = np.mean((views[0] - views[1]) ** 2)
            assert 10 * np.log10(255**2 / error) > 30
            assert views[1].std() == pytest.approx(views[0].std(), rel=0.05)


def test_bands_and_value_range_are_applied(data_root: Path, tmp_path: Path) -> None:
    (tmp_path / 'geo').mkdir()
    shutil.copy(data_root / 'geo' / 'torchsat_rgb_uint16.tif', tmp_path / 'geo')
    form = PackForm(2000, lossless=True, bands=(2, 0, 1), value_range=(100, 1000))
    out = pack(tmp_path / 'geo', form=form)
    sample = build(out, pipeline=[{'type': 'LoadAerialImage', 'crop_size': 0}])[0]
    raw = tifffile.imread(tmp_path / 'geo' / 'torchsat_rgb_uint16.tif').astype(np.float64)
    assert np.array_equal(sample['img'], np.clip((raw[..., [2, 0, 1]] - 100) / 900 * 256, 0, 255).astype(np.uint8))
    with pytest.raises(PackError, match=r'holds the bands \(2, 0, 1\).*leave bands'):
        build(out, pipeline=[{'type': 'LoadAerialImage', 'bands': (2, 0, 1)}])


def test_bands_are_chosen_from_a_small_jpeg_too(folder: Path) -> None:
    images = Pack(str(pack(folder, 'other.lmdb', form=PackForm(2000, lossless=True, bands=(2, 1, 0)))))
    for number in range(len(images)):
        pixels = np.asarray(Image.open(BytesIO(images.stored(number))))
        assert np.array_equal(pixels[..., ::-1], np.asarray(Image.open(folder / images.relative(number))))


def test_image_too_long_for_jpeg(tmp_path: Path) -> None:
    (tmp_path / 'images').mkdir()
    Image.new('RGB', (70_000, 8), (1, 2, 3)).save(tmp_path / 'images' / 'strip.png')
    sample = build(pack(tmp_path / 'images'), pipeline=PIPELINE[:1])[0]
    assert sample['img'].shape == (8, 70_000, 3)


# ---- as the folder


def test_same_order_labels_and_parts_as_the_folder(folder: Path, packed: Path) -> None:
    for options in ({}, {'subset': {'fraction': 0.5, 'seed': 3}}, {'indices': [5, 2, 20]}):
        files, images = build(folder, with_labels=True, **options), build(packed, with_labels=True, **options)
        assert below(images, packed) == below(files, folder)
        assert images.classes == files.classes == ('even', 'odd')
        assert images.labels.tolist() == files.labels.tolist()
        assert images.get_data_info(1)['gt_label'] == files.get_data_info(1)['gt_label']


def test_order_of_a_list_file(folder: Path, tmp_path: Path) -> None:
    names = ['odd/3.png', 'even/2.jpg', 'odd/1.tif', 'even/2.jpg']
    (tmp_path / 'list.txt').write_text('\n'.join(names))
    assert below(build(pack(folder, list_files=[tmp_path / 'list.txt'])), tmp_path / 'images.lmdb') == names


def test_names_that_are_not_ascii_or_very_long(tmp_path: Path) -> None:
    deep = tmp_path / 'images' / ('é' * 100) / ('x' * 200) / ('y' * 200)
    deep.mkdir(parents=True)
    names = sorted([os.fsdecode(b'\xff\n.png'), 'ü.png'], key=os.fsencode)
    for name in names:
        Image.new('RGB', (20, 20)).save(deep / name)
    out = pack(tmp_path / 'images')
    assert below(build(out), out) == [os.path.relpath(deep / name, tmp_path / 'images') for name in names]


@pytest.mark.parametrize('order', [('folder', 'pack'), ('pack', 'folder', 'pack')])
def test_folders_and_packs_in_one_data_set(folder: Path, packed: Path, data_root: Path, order: tuple) -> None:
    other = data_root / 'rsscn7'
    roots = {'pack': (packed, folder), 'folder': (other, other)}
    mixed = build([roots[kind][0] for kind in order], pipeline=PIPELINE, with_labels=True, cache=str(folder.parent))
    files = build([roots[kind][1] for kind in order], pipeline=PIPELINE, with_labels=True, cache=str(folder.parent))
    assert len(mixed) == len(files)
    assert mixed.classes == files.classes
    assert mixed.labels.tolist() == files.labels.tolist()
    mixed = pickle.loads(pickle.dumps(mixed))
    for number in {0, 26, 27, len(mixed) - 1}:
        path = mixed.get_data_info(number)['img_path'].replace(str(packed), str(folder))
        assert path == files.get_data_info(number)['img_path']
        assert mixed[number]['data_samples'].gt_label == files.labels[number]


def test_several_folders_in_one_pack(folder: Path, tmp_path: Path, data_root: Path) -> None:
    out = tmp_path / 'both.lmdb'
    pack_images([folder, data_root / 'rsscn7'], out, form=SMALL, cache=str(tmp_path))
    files = build([folder, data_root / 'rsscn7'], with_labels=True)
    images = build(out, with_labels=True)
    assert images.classes == files.classes
    assert images.labels.tolist() == files.labels.tolist()
    paths = below(images, out)
    assert len(set(paths)) == len(files)
    assert paths[0].startswith('0/even/')
    assert paths[-1].startswith('1/gParking/')


def test_a_moved_pack_is_read_where_it_is(folder: Path, packed: Path) -> None:
    sample = build(packed, pipeline=PIPELINE)[SeededIndex(3, 1)]['inputs']
    shutil.rmtree(folder)
    moved = packed.rename(packed.with_name('elsewhere'))
    moved_set = build(moved, pipeline=PIPELINE)
    assert moved_set.get_data_info(0)['img_path'].startswith(str(moved))
    assert torch.equal(moved_set[SeededIndex(3, 1)]['inputs'], sample)


@pytest.mark.parametrize('start', ['fork', pytest.param('spawn', marks=pytest.mark.slow)])
def test_workers_do_not_change_samples(packed: Path, start: str, same_by_workers: Callable) -> None:
    assert same_by_workers({'data_root': str(packed), 'pipeline': PIPELINE}, start)


def test_pickled_data_sets_hold_no_names(packed: Path) -> None:
    dataset = build(packed, pipeline=PIPELINE, with_labels=True)
    first = dataset[SeededIndex(7, 7)]['inputs']
    data = pickle.dumps(dataset.index)
    assert len(data) < 400
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[SeededIndex(7, 7)]['inputs'], first)


def test_bytes_do_not_travel_with_the_sample(packed: Path) -> None:
    assert 'img_bytes' not in build(packed, pipeline=PIPELINE[:1])[0]


def test_mmengines_backend_reads_the_entries(packed: Path) -> None:
    data = LmdbBackend(packed).get(key_of(0))
    assert data == (packed.parent / 'images' / 'even' / '0.jpg').read_bytes()


# ---- what cannot be read


def test_unfinished_pack_is_refused(packed: Path) -> None:
    record = json.loads((packed / 'pack.json').read_text())
    del record['parts']['content']
    (packed / 'pack.json').write_text(json.dumps(record))
    with pytest.raises(PackError, match=r'images\.lmdb is an unfinished pack; run the command of tools/datasets/pack'):
        build(packed)


@pytest.mark.parametrize(
    ('name', 'spoil', 'message'),
    [
        ('pack.json', lambda path: path.unlink(), 'has not written'),
        ('pack.json', lambda path: path.write_text('{"settings": '), 'pack.json of the pack .* is damaged'),
        ('images.index', lambda path: path.unlink(), 'is not whole .*images.index'),
        ('images.index', lambda path: path.write_bytes(path.read_bytes()[:300]), 'is not whole .*images.index'),
        ('data.mdb', lambda path: path.unlink(), 'is not whole .*data.mdb'),
        ('data.mdb', lambda path: os.truncate(path, 5000), r'data\.mdb of the pack .* has 5000 bytes instead of'),
        ('data.mdb', lambda path: path.write_bytes(bytes(path.stat().st_size)), r'data\.mdb of the pack .* is damaged'),
    ],
)
def test_damaged_pack_is_refused(packed: Path, name: str, spoil: object, message: str) -> None:
    spoil(packed / name)
    with pytest.raises(PackError, match=message) as error:
        build(packed)
    assert str(packed) in str(error.value)
    assert '\n' not in str(error.value)


def test_missing_entry_is_replaced_and_named(packed: Path) -> None:
    with lmdb.open(str(packed), max_dbs=1) as environment, environment.begin(write=True) as transaction:
        transaction.delete(key_of(4).encode())
    record = json.loads((packed / 'pack.json').read_text())
    record['parts']['content']['bytes'] = (packed / 'data.mdb').stat().st_size
    (packed / 'pack.json').write_text(json.dumps(record))
    dataset = build(packed, pipeline=PIPELINE)
    [(path, reason)] = dataset[SeededIndex(4, 0)]['data_samples'].metainfo['unreadable']
    assert path == dataset.get_data_info(4)['img_path']
    assert reason.startswith(f'entry 0000000004 of {packed}/data.mdb: it is missing')
    assert f'--verify {packed}' in reason


@pytest.mark.parametrize(
    'loader',
    [{'crop_size': 65}, {'min_area': 0.2, 'crop_size': 64}, {'max_ratio': 2, 'crop_size': 64}],
)
def test_crops_that_the_pack_was_not_made_for(packed: Path, loader: dict) -> None:
    with pytest.raises(PackError, match=r'made for crops of 64 pixels that take 0\.3.*pack again with --crop-size'):
        build(packed, pipeline=[{'type': 'LoadAerialImage', **loader}])


@pytest.mark.parametrize('loader', [{'crop_size': 64}, {'crop_size': 0}, {'crop_size': 50, 'min_area': 0.2}])
def test_crops_that_the_pack_has_detail_for(packed: Path, loader: dict) -> None:
    assert len(build(packed, pipeline=[{'type': 'LoadAerialImage', **loader}])) == 27


@pytest.mark.parametrize('options', [{'list_file': 'list.txt'}, {'recursive': False}, {'extensions': ['.png']}])
def test_images_of_a_pack_are_not_chosen_again(packed: Path, options: dict) -> None:
    with pytest.raises(ValueError, match=r'images\.lmdb is a pack.*leave list_file, extensions and recursive'):
        build(packed, **options)


@pytest.mark.slow
def test_without_lmdb(packed: Path) -> None:
    code = (
        'import sys; sys.modules["lmdb"] = None\n'  # Python's own way to say that there is no such module
        'from cmid_mm.datasets import UnlabelledImages\n'
        f'UnlabelledImages({str(packed)!r})'
    )
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1].endswith(
        f'{packed}: packs of images need the package lmdb; install it (pip install lmdb)'
    )
