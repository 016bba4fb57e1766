"""The picture of a sample's views: the sample of training itself, outlines of the crops, pairs that are compared."""

from copy import deepcopy

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from PIL import Image

from cmid_mm.datasets.transforms import Crop, cell_positions
from cmid_mm.models.utils import match_cells
from cmid_mm.visualization.reconstructions import to_uint8
from cmid_mm.visualization.views import (
    OUTLINES,
    crop_of_positions,
    draw_views,
    first_samples,
    hide_masked,
    matched_cells,
    num_matches_of,
)


@pytest.fixture
def cfg(small_config, image_folder) -> Config:
    """The small CMID on two dozen images of 80 x 72 pixels."""
    cfg = deepcopy(small_config)
    cfg.train_dataloader.dataset.update(data_root=str(image_folder), cache=str(image_folder.parent))
    cfg.randomness = dict(seed=5)
    return cfg


@given(
    size=st.tuples(st.integers(40, 400), st.integers(40, 400)),
    parts=st.tuples(*[st.floats(0.1, 1)] * 4),
    num_cells=st.integers(2, 9),
    flipped=st.booleans(),
    units=st.sampled_from(['pixel', 'released']),
)
def test_the_outline_is_where_the_crop_was(size, parts, num_cells, flipped, units):
    height, width = (max(1, int(part * side)) for part, side in zip(parts, size, strict=False))
    crop = Crop(height, width, int(parts[2] * (size[0] - height)), int(parts[3] * (size[1] - width)), flipped)
    positions = cell_positions(crop, size, num_cells, units)
    assert crop_of_positions(positions, size, units)[4] == flipped
    np.testing.assert_allclose(crop_of_positions(positions, size, units)[:4], crop[:4], atol=1e-3)


def test_one_cell_does_not_tell_its_crop():
    with pytest.raises(ValueError, match='a view of one cell does not tell where it was cut'):
        crop_of_positions(np.zeros((1, 1, 2)), (64, 64))


@pytest.mark.parametrize('epoch', [0, 3])
def test_samples_are_those_of_the_first_batch_of_the_epoch(cfg, epoch):
    samples = first_samples(cfg, 4, epoch)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=5)
    loader.batch_sampler.sampler.set_epoch(epoch)
    preprocessor = MODELS.build(cfg.data_preprocessor)
    batch = preprocessor(next(iter(loader)), training=True)
    mean, std = cfg.data_preprocessor.mean, cfg.data_preprocessor.std
    for number, sample in enumerate(samples):
        trained = batch['data_samples'][number]
        np.testing.assert_array_equal(sample.masks, trained.mask)
        np.testing.assert_array_equal(sample.positions, trained.cell_positions)
        for view, inputs in zip(sample.views, batch['inputs'], strict=True):
            np.testing.assert_array_equal(view, to_uint8(inputs.numpy(), mean, std)[number])


def test_a_view_without_noise_shows_what_its_outline_holds(cfg):
    for sample in first_samples(cfg, 6):
        crop = sample.crops[0]
        rows = slice(round(crop.top), round(crop.top + crop.height))
        columns = slice(round(crop.left), round(crop.left + crop.width))
        inside = sample.source[rows, columns]
        inside = cv2.resize(inside, (96, 96), interpolation=cv2.INTER_LINEAR)
        expected = inside[:, ::-1] if crop.flipped else inside
        assert np.abs(sample.views[0].astype(int) - expected).mean() < 1
        assert sample.size == (72, 80)
        assert -1e-3 < crop.top < crop.top + crop.height < 72 + 1e-3


def test_released_positions_have_the_same_outlines(cfg):
    ours = first_samples(cfg, 4)
    for view in cfg.train_dataloader.dataset.pipeline[1]['views']:
        view[0]['position_units'] = 'released'
    for one, other in zip(ours, first_samples(cfg, 4), strict=True):
        assert not np.allclose(one.positions, other.positions)
        np.testing.assert_allclose([c[:4] for c in other.crops], [c[:4] for c in one.crops], atol=0.02)


def test_pairs_are_those_of_the_loss_and_of_one_view_mirrored_they_are_the_mirrored_cells(cfg):
    (sample,) = first_samples(cfg, 1)
    one, other = (torch.from_numpy(cells)[None] for cells in sample.positions)
    for (own, found, distance), pair in zip(
        matched_cells(sample, 4), (match_cells(one, other, 4), match_cells(other, one, 4)), strict=True
    ):
        np.testing.assert_array_equal([own, found], [cells[0].numpy() for cells in pair])
        assert distance.max() < 72
    # Both views are the whole image, the second mirrored: each cell's pair is its mirror image, at the same place.
    for number, view in enumerate(cfg.train_dataloader.dataset.pipeline[1]['views']):
        view[0].update(crop_ratio_range=(1, 1), aspect_ratio_range=(80 / 72, 80 / 72))
        view[1]['prob'] = number
    (sample,) = first_samples(cfg, 1)
    for own, found, distance in matched_cells(sample, 9):
        np.testing.assert_array_equal(own, np.arange(9))
        np.testing.assert_array_equal(found, [2, 1, 0, 5, 4, 3, 8, 7, 6])
        np.testing.assert_allclose(distance, 0, atol=0.6)  # the crop's sides are whole pixels


def test_masked_blocks_alone_are_hidden():
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    hidden = hide_masked(image, np.array([[0, 1], [0, 0]]))
    np.testing.assert_array_equal(hidden[4:], image[4:])
    np.testing.assert_array_equal(hidden[:, :4], image[:, :4])
    assert hidden[:4, 4:].std() < 0.4 * image[:4, 4:].std()


def test_the_picture_has_two_rows_a_sample_and_outlines_of_two_colours(cfg, tmp_path):
    assert num_matches_of(cfg) == 4
    draw_views(first_samples(cfg, 1), tmp_path / 'views.png', 4)
    picture = np.asarray(Image.open(tmp_path / 'views.png').convert('RGB')).astype(int)
    assert picture.shape[0] == pytest.approx(2 * 3.15 * 110, abs=2)
    for colour in OUTLINES[:2]:
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(picture - rgb).max(axis=-1) < 12).sum() > 1000


@pytest.mark.parametrize(
    ('method', 'views', 'masks'), [('swav', 8, False), ('byol', 2, False), ('simmim', 1, True), ('mae', 1, False)]
)
def test_other_methods_show_their_views(repo, image_folder, tmp_path, method, views, masks):
    name = dict(swav='r18', byol='r18', simmim='swin-t', mae='vit-t')[method]
    cfg = Config.fromfile(repo / f'configs/{method}/{method}_{name}_ucmerced.py')
    cfg.train_dataloader.dataset.update(data_root=str(image_folder), cache=str(tmp_path))
    (sample,) = first_samples(cfg, 1)
    assert num_matches_of(cfg) is None
    assert (len(sample.views), len(sample.crops), bool(sample.masks)) == (views, views, masks)
    draw_views([sample], tmp_path / 'views.png')
    assert np.asarray(Image.open(tmp_path / 'views.png').convert('L')).std() > 20


def test_pipelines_without_crops_are_refused(cfg, repo):
    task = Config.fromfile(repo / 'configs/classification/classifier_r18_scenes.py')
    steps = cfg.train_dataloader.dataset.pipeline
    unpacked = deepcopy(cfg)
    unpacked.train_dataloader.dataset.pipeline = steps[:2]
    cfg.train_dataloader.dataset.pipeline = steps[::2]
    for wrong, words in (
        (task, 'cuts no view by RandomResizedCropWithPositions'),
        (cfg, 'cuts no view by RandomResizedCropWithPositions'),
        (unpacked, 'has no PackInputs; add it'),
    ):
        with pytest.raises(ValueError, match=words):
            first_samples(wrong, 1)
