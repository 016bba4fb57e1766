import numpy as np
from PIL import Image

from cmid_mm.evaluation.images import read_image, read_images, squeeze


def test_areas_are_averaged_and_colours_stay_red_green_blue(tmp_path):
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[::2, :, 0] = 200
    Image.fromarray(pixels).save(tmp_path / 'stripes.png')
    image = read_image(tmp_path / 'stripes.png', 32)
    assert image.shape == (32, 32, 3)
    assert (image == [100, 0, 0]).all()


def test_small_images_grow(tmp_path):
    Image.fromarray(np.full((5, 9), 7, np.uint8)).save(tmp_path / 'grey.tif')
    assert (read_image(tmp_path / 'grey.tif', 32) == 7).all()
    assert squeeze(np.zeros((8, 100, 3), np.uint8), 32).shape == (32, 32, 3)


def test_unreadable_files_are_named_and_left_out(tmp_path):
    paths = [tmp_path / f'{i}.png' for i in range(4)]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((40, 40, 3), i, np.uint8)).save(path)
    paths[1].write_bytes(b'not an image')
    steps = []
    images, kept, problems = read_images([*paths, tmp_path / 'gone.png'], 32, steps.append)
    assert kept.tolist() == [0, 2, 3]
    assert images[:, 0, 0, 0].tolist() == [0, 2, 3]
    assert [problem.split(' cannot')[0] for problem in problems] == [str(paths[1]), str(tmp_path / 'gone.png')]
    assert len(steps) == 5
    assert read_images([], 32)[0].shape == (0, 32, 32, 3)
