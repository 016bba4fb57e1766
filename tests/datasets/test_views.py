"""Views: cell positions against the authors' arrays and against pixels, flips, sharing, and real images."""

from collections import OrderedDict

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from mmpretrain.registry import TRANSFORMS
from PIL import Image
from torchvision.transforms import RandomResizedCrop as TorchvisionCrop

from cmid_mm.datasets.transforms import (
    Crop,
    RandomFlipWithPositions,
    RandomResizedCropWithPositions,
    Squeeze,
    TwoViews,
    cell_positions,
)

ORG = [
    dict(type='RandomResizedCropWithPositions', size=224),
    dict(type='RandomFlipWithPositions', prob=0.5),
    dict(type='BlockMask', size=224),
]
VIEW = [
    *ORG[:2],
    dict(type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, prob=0.8),
    dict(type='RandomGaussianBlur', kernel_range=(3, 7), sigma_range=(0.1, 2.0), prob=1.0),
    dict(type='RandomGaussianNoise', variance_range=(10.0, 50.0), prob=0.6),
    dict(type='Solarize', thr=128, prob=0.2),
    dict(type='RandomToGray', prob=0.2),
    ORG[2],
]
PACK = dict(type='PackInputs', algorithm_keys=('mask', 'cell_positions'))


def released(view: list[dict]) -> list[dict]:
    """The same view under the authors' position units."""
    return [{**view[0], 'position_units': 'released'}, *view[1:]]


def coordinates_image(height: int, width: int) -> np.ndarray:
    """Float image (H, W, 2) whose pixels hold the (row, column) of their own centre."""
    rows, columns = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing='ij')
    return np.stack([rows, columns], -1).astype(np.float32)


def at_cell_centres(view: np.ndarray, stride: int) -> np.ndarray:
    """Mean of the four pixels that meet in the centre of each cell, (N, N, C)."""
    half = stride // 2
    return sum(view[half - i :: stride, half - j :: stride] for i in (0, 1) for j in (0, 1)) / 4


@pytest.mark.parametrize('units', ['pixel', 'released'])
@pytest.mark.parametrize('view', [1, 2])
def test_positions_reproduce_the_authors_grids(golden_root, units, view):
    golden = np.load(golden_root / 'position_match.npz')
    side = int(golden['image_size'])
    expected = golden[f'{units}_grid_{view}']
    for crop, grid in zip(golden[f'crops_{view}'].tolist(), expected, strict=True):
        positions = cell_positions(Crop(*crop), (side, side), grid.shape[0], units)
        assert positions.dtype == np.float64
        np.testing.assert_allclose(positions, grid, rtol=0, atol=1e-12)


def test_a_crop_of_the_whole_image_starts_at_zero_in_both_units():
    whole = Crop(height=64, width=96, top=0, left=0)
    for units in ('pixel', 'released'):
        positions = cell_positions(whole, (64, 96), 2, units)
        np.testing.assert_allclose(positions, [[[16, 24], [16, 72]], [[48, 24], [48, 72]]])


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(40, 900),
    width=st.integers(40, 900),
    cells=st.integers(1, 7),
)
def test_positions_are_where_the_content_of_each_cell_comes_from(seed, height, width, cells):
    """Enlarging, shrinking and shrinking in several steps alike; flipped or not."""
    np.random.seed(seed)
    img = coordinates_image(height, width)
    view = Compose(
        [
            RandomResizedCropWithPositions(size=32 * cells, crop_ratio_range=(0.05, 1.0)),
            RandomFlipWithPositions(),
        ]
    )(dict(img=img))
    assert view['img'].shape == (32 * cells, 32 * cells, 2)
    np.testing.assert_allclose(at_cell_centres(view['img'], 32), view['cell_positions'], atol=0.05)


@pytest.mark.parametrize('scale_factor', [(0.5, 0.25), (1.0, 1.0)])
def test_positions_of_a_reduced_image_are_in_pixels_of_the_file(scale_factor):
    np.random.seed(0)
    img = coordinates_image(300, 400)
    view = RandomResizedCropWithPositions(size=96)(dict(img=img, scale_factor=scale_factor))
    in_file = at_cell_centres(view['img'], 32) / (scale_factor[1], scale_factor[0])
    np.testing.assert_allclose(view['cell_positions'], in_file, atol=0.1)


def test_crops_are_distributed_as_torchvisions():
    """Heights, widths and offsets of many crops, also of an image too narrow for most trials."""
    for height, width in ((300, 400), (400, 60)):
        img = np.zeros((height, width, 3), np.uint8)
        crop = RandomResizedCropWithPositions(size=32)
        theirs = TorchvisionCrop(32, scale=(0.3, 1.0), ratio=(3 / 4, 4 / 3))
        np.random.seed(0)
        torch.manual_seed(0)
        sample = np.array([crop.rand_crop_params(img) for _ in range(4000)])
        tensor = torch.zeros(3, height, width)
        reference = np.array([theirs.get_params(tensor, theirs.scale, theirs.ratio) for _ in range(4000)])
        for column in range(4):
            for quantile in (0.05, 0.25, 0.5, 0.75, 0.95):
                ours, expected = (np.quantile(x[:, column], quantile) for x in (sample, reference))
                assert ours == pytest.approx(expected, abs=0.03 * max(height, width))


def test_resizing_is_bilinear_up_to_a_factor_of_two_and_does_not_alias_beyond():
    def view(height: int, size: int, pattern: np.ndarray) -> np.ndarray:
        whole = RandomResizedCropWithPositions(size, crop_ratio_range=(1, 1), aspect_ratio_range=(1, 1))
        return whole(dict(img=np.resize(pattern, (height, height, 1)).repeat(3, 2)))['img']

    noise = np.random.RandomState(0).randint(0, 256, (150, 150, 1)).astype(np.uint8)
    expected = cv2.resize(noise.repeat(3, 2), (96, 96), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(view(150, 96, noise), expected)
    # Stripes two pixels wide, shrunk by 4.17: grey, where plain bilinear keeps black and white.
    stripes = np.repeat(np.arange(400) // 2 % 2 * 255, 400).reshape(400, 400, 1).astype(np.uint8)
    assert cv2.resize(stripes, (96, 96)).std() > 80
    assert view(400, 96, stripes).std() < 20


@given(seed=st.integers(0, 2**32 - 1), bands=st.sampled_from([1, 3, 8]))
def test_a_flip_mirrors_image_and_positions_and_nothing_in_place(seed, bands):
    rng = np.random.RandomState(seed)
    img = rng.randint(0, 256, (64, 96, bands)).astype(np.uint8)
    positions = rng.rand(2, 3, 2).astype(np.float32)
    kept = img.copy(), positions.copy()
    out = RandomFlipWithPositions(prob=1)(dict(img=img, cell_positions=positions))
    np.testing.assert_array_equal(out['img'], img[:, ::-1])
    np.testing.assert_array_equal(out['cell_positions'], positions[:, ::-1])
    assert out['flip'] is True
    np.testing.assert_array_equal(img, kept[0])
    np.testing.assert_array_equal(positions, kept[1])
    same = RandomFlipWithPositions(prob=0)(dict(img=img, cell_positions=positions))
    np.testing.assert_array_equal(same['img'], img)


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='RandomResizedCropWithPositions', size=225), 'size=225 .* stride=32'),
        (dict(type='RandomResizedCropWithPositions', size=0), 'size=0'),
        (dict(type='RandomResizedCropWithPositions', crop_ratio_range=(0.3, 1.2)), 'crop_ratio_range'),
        (dict(type='RandomResizedCropWithPositions', aspect_ratio_range=(2, 1)), 'aspect_ratio_range'),
        (dict(type='RandomResizedCropWithPositions', position_units='cm'), "position_units='cm'"),
        (dict(type='RandomFlipWithPositions', prob=2), 'prob=2'),
        (dict(type='Squeeze', size=0), 'size=0'),
        (dict(type='TwoViews', views=[]), 'views is empty'),
    ],
)
def test_wrong_settings_are_refused_at_build_time(config, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(config)


def test_a_flip_before_the_crop_is_refused_for_its_positions_would_be_wrong():
    pipeline = Compose([RandomFlipWithPositions(prob=1.0), RandomResizedCropWithPositions()])
    with pytest.raises(ValueError, match=r'a\.jpg was already flipped or cropped'):
        pipeline(dict(img=np.zeros((300, 300, 3), np.uint8), img_path='a.jpg'))


@pytest.mark.parametrize('count', [1, 2, 3])
def test_any_number_of_views_is_gathered_and_the_image_is_left_alone(count):
    np.random.seed(0)
    img = np.random.randint(0, 256, (300, 260, 3)).astype(np.uint8)
    before = img.copy()
    results = dict(img=img, img_path='a.jpg', gt_label=3)
    out = TwoViews(views=[ORG, VIEW, VIEW][:count])(results)
    assert [view.shape for view in out['img']] == [(3, 224, 224)] * count
    assert out['mask'].shape == (count, 56, 56)
    assert out['cell_positions'].shape == (count, 7, 7, 2)
    assert (out['img_path'], out['gt_label'], out['img_shape']) == ('a.jpg', 3, (224, 224))
    np.testing.assert_array_equal(img, before)
    assert img.flags.writeable
    for one in range(count):
        for other in range(one):
            assert not torch.equal(out['mask'][one], out['mask'][other])
            assert not torch.equal(out['cell_positions'][one], out['cell_positions'][other])


def test_a_view_that_writes_into_the_shared_image_fails_at_once():
    def blacken(results: dict) -> dict:
        results['img'][:] = 0
        return results

    with pytest.raises(ValueError, match='read-only'):
        TwoViews(views=[[blacken], []])(dict(img=np.ones((8, 8, 3), np.uint8)))


def test_views_without_positions_or_masks_yield_neither():
    out = TwoViews(views=[[dict(type='Resize', scale=32)]] * 2)(dict(img=np.zeros((64, 64, 3), np.uint8)))
    assert 'mask' not in out
    assert 'cell_positions' not in out
    assert len(out['img']) == 2


def test_views_are_built_where_no_default_scope_is_set(monkeypatch):
    monkeypatch.setattr(DefaultScope, '_instance_dict', OrderedDict())
    assert len(TwoViews(views=[ORG, VIEW]).views) == 2


def test_views_that_disagree_are_refused_by_name():
    img = np.zeros((300, 300, 3), np.uint8)
    with pytest.raises(ValueError, match=r"views \[1\] of 2 do not yield 'mask'"):
        TwoViews(views=[ORG, ORG[:2]])(dict(img=img))
    small = [dict(type='RandomResizedCropWithPositions', size=96)]
    with pytest.raises(ValueError, match=r"'cell_positions' has shapes \[\(7, 7, 2\), \(3, 3, 2\)\]"):
        TwoViews(views=[ORG[:1], small])(dict(img=img))


def test_a_view_that_gives_the_sample_up_gives_up_the_sample():
    assert TwoViews(views=[[lambda results: results], [lambda results: None]])(dict(img=np.zeros((8, 8, 3)))) is None


def test_the_squeeze_is_pillows_bicubic_and_becomes_the_image():
    img = np.random.RandomState(0).randint(0, 256, (500, 300, 3)).astype(np.uint8)
    out = Squeeze(224)(dict(img=img, scale_factor=(0.5, 0.5)))
    expected = np.asarray(Image.fromarray(img).resize((224, 224), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(out['img'], expected)
    assert out['scale_factor'] == (1.0, 1.0)


@pytest.mark.parametrize('recipe', ['ours', 'squeezed', 'released'])
def test_real_images_through_the_whole_pipeline(data_root, recipe):
    """A 256 px scene and a 1024 px tile, loaded, viewed and packed as a configuration would."""
    pipeline = Compose(
        [
            dict(type='LoadAerialImage'),
            *([] if recipe == 'ours' else [dict(type='Squeeze', size=224)]),
            dict(type='TwoViews', views=[released(ORG), released(VIEW)] if recipe == 'released' else [ORG, VIEW]),
            PACK,
        ]
    )
    for folder in ('ucmerced/harbor', 'dota/train/images'):
        path = sorted((data_root / folder).glob('*.jpg'))[0]

        def load(seed: int, path=path) -> dict:
            np.random.seed(seed)
            return pipeline(dict(img_path=str(path), sample_idx=0))

        packed = load(0)
        inputs, sample = packed['inputs'], packed['data_samples']
        assert [(view.dtype, tuple(view.shape)) for view in inputs] == [(torch.uint8, (3, 224, 224))] * 2
        assert (sample.mask.dtype, tuple(sample.mask.shape)) == (torch.uint8, (2, 56, 56))
        assert (sample.cell_positions.dtype, tuple(sample.cell_positions.shape)) == (torch.float32, (2, 7, 7, 2))
        assert sample.mask.flatten(1).sum(1).tolist() == [30 * 64] * 2
        assert sample.img_path == str(path)

        positions = np.concatenate([load(seed)['data_samples'].cell_positions for seed in range(40)])
        with Image.open(path) as file:
            sides = np.array(file.size[::-1] if recipe == 'ours' else (224, 224))
        # Centres of the outermost cells of random crops reach near the ends of the image, not beyond.
        assert (positions.min((0, 1, 2)) > 0).all()
        assert (positions.max((0, 1, 2)) < sides).all()
        assert (positions.max((0, 1, 2)) > 0.8 * sides).all()

        again = load(0)
        for mine, theirs in zip(inputs, again['inputs'], strict=True):
            assert torch.equal(mine, theirs)
        assert torch.equal(sample.mask, again['data_samples'].mask)
        assert torch.equal(sample.cell_positions, again['data_samples'].cell_positions)
        assert not torch.equal(inputs[0], load(1)['inputs'][0])
