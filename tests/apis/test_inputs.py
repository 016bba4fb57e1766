"""Paths, folders, arrays and pairs become scenes, or one sentence says what is wrong."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cmid_mm.apis.inputs import find_images, find_pairs, read_scene
from cmid_mm.apis.windows import Window
from cmid_mm.datasets import UnreadableImageError
from cmid_mm.datasets.decoding import Decoding

DECODING = Decoding(lambda height, width: 1, None, None, 2**30)


def paint(path: Path, colour: tuple[int, int, int] = (10, 20, 30), size: tuple[int, int] = (8, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size, colour).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    for name in ('b.png', 'a.png', 'deep/er/c.png', 'notes.txt'):
        if name.endswith('png'):
            paint(tmp_path / 'in' / name)
        else:
            (tmp_path / 'in' / name).write_text('no image')
    return tmp_path / 'in'


def test_a_folder_is_searched_at_any_depth_and_sorted(folder):
    assert [source.name for source in find_images(folder)] == ['a', 'b', 'deep/er/c']


def test_a_list_keeps_its_order_and_gives_every_input_a_name_of_its_own(folder):
    array = np.zeros((4, 4, 3), np.uint8)
    sources = find_images([str(folder / 'b.png'), array, folder, folder / 'b.png'])
    assert [source.name for source in sources] == ['b', 'array_1', 'a', 'b_2', 'deep/er/c', 'b_3']
    assert [source.path is None for source in sources] == [False, True, False, False, False, False]


def test_pixels_are_bgr(folder):
    [source] = find_images(folder / 'a.png')
    assert read_scene(source, DECODING).dates[0][0, 0].tolist() == [30, 20, 10]


def test_an_array_is_taken_as_it_is_and_grey_as_three_channels():
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    colour, grey = (read_scene(source, DECODING).dates[0] for source in find_images([array, array[..., 0]]))
    assert (colour == array).all()
    assert (grey == array[..., :1]).all()


def test_an_array_of_16_bits_is_stretched_by_the_rules_of_files():
    array = np.full((4, 4, 3), 5000, np.uint16)
    [source] = find_images(array)
    scene = read_scene(source, Decoding(lambda height, width: 1, None, (0, 10000), 2**30))
    assert (scene.dates[0] == 128).all()


def test_a_16_bit_scene_is_read(data_root):
    [source] = find_images(data_root / 'geo/torchsat_rgb_uint16.tif')
    scene = read_scene(source, DECODING)
    assert scene.shape == (500, 650) or scene.shape == (650, 500)
    assert scene.dates[0].dtype == np.uint8
    assert scene.dates[0].std() > 10


def test_a_crop_holds_the_dates_one_after_the_other(tmp_path):
    first, second = paint(tmp_path / 'A/x.png', (1, 2, 3)), paint(tmp_path / 'B/x.png', (4, 5, 6))
    [pair] = find_pairs((first, second))
    crop = read_scene(pair, DECODING).crop(Window(1, 2, 3, 4))
    assert crop.shape == (3, 4, 6)
    assert crop[0, 0].tolist() == [3, 2, 1, 6, 5, 4]


def test_folders_of_two_dates_are_matched_by_name(tmp_path):
    for name in ('y', 'x', 'sub/z'):
        paint(tmp_path / f'A/{name}.png')
        paint(tmp_path / f'B/{name}.tif')
    pairs = find_pairs((tmp_path / 'A', tmp_path / 'B'))
    assert [pair.name for pair in pairs] == ['x', 'y', 'sub/z']
    assert [Path(pair.path[1]).name for pair in pairs] == ['x.tif', 'y.tif', 'z.tif']


def test_a_missing_date_is_named(tmp_path):
    for name in ('A/x', 'A/y', 'B/x', 'B/z'):
        paint(tmp_path / f'{name}.png')
    with pytest.raises(ValueError, match=r'2 images of .*A and .*B have no counterpart of the same name \(y, z\)'):
        find_pairs((tmp_path / 'A', tmp_path / 'B'))


@pytest.mark.parametrize('inputs', ['only/one', ['one'], np.zeros((4, 4, 3), np.uint8)])
def test_one_date_alone_is_refused(inputs):
    with pytest.raises(ValueError, match=r'two dates: give \(before, after\)'):
        find_pairs(inputs)


def test_dates_of_unequal_size_are_named(tmp_path):
    first, second = paint(tmp_path / 'a.png'), paint(tmp_path / 'b.png', size=(9, 6))
    with pytest.raises(ValueError, match=r'a\.png of 8 x 6 and .*b\.png of 9 x 6 pixels'):
        read_scene(find_pairs((first, second))[0], DECODING)


def test_lists_of_unequal_length_are_refused(tmp_path):
    path = paint(tmp_path / 'a.png')
    with pytest.raises(ValueError, match='2 images of the first date and 1 of the second'):
        find_pairs(([path, path], [path]))


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match=r'no image was found in .*empty'):
        find_images(tmp_path / 'empty')
    with pytest.raises(FileNotFoundError, match='missing is neither an image file nor a folder'):
        find_images(tmp_path / 'missing')
    with pytest.raises(ValueError, match='the list of inputs is empty'):
        find_images([])
    with pytest.raises(TypeError, match='input 0 is a int'):
        find_images([3])
    with pytest.raises(ValueError, match=r'the array array_0 has the shape \(4, 4, 2\)'):
        read_scene(find_images(np.zeros((4, 4, 2)))[0], DECODING)
    (tmp_path / 'text.png').write_text('text')
    with pytest.raises(UnreadableImageError, match=r'text\.png'):
        read_scene(find_images(tmp_path / 'text.png')[0], DECODING)
