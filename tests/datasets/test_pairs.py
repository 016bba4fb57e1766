"""Pairs: one geometry for both dates and the label, noise of its own for each date, and errors that name the files."""

import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmseg.registry import TRANSFORMS

import cmid_mm.with_mmseg  # noqa: F401
from cmid_mm.datasets.transforms.pairs import BothDates, EachDate, LoadImagePair, SwapDates, check_pair_pipeline

GEOMETRY = {
    'crop': dict(type='RandomCrop', crop_size=(20, 30)),
    'crop_by_label': dict(type='RandomCrop', crop_size=(20, 30), cat_max_ratio=0.6),
    'flip': dict(type='RandomFlip', prob=0.7, direction='horizontal'),
    'flip_vertically': dict(type='RandomFlip', prob=0.7, direction='vertical'),
    'resize': dict(type='RandomResize', scale=(40, 40), ratio_range=(0.5, 2.0), keep_ratio=True),
    'resize_aspect': dict(type='RandomResize', scale=[(20, 60), (50, 30)], keep_ratio=False),
    'rotate': dict(type='RandomRotate', prob=0.8, degree=45.0),
    'rotate_and_grow': dict(type='RandomRotate', prob=0.8, degree=45.0, auto_bound=True),
    'rot_flip': dict(type='RandomRotFlip', rotate_prob=0.5, flip_prob=0.5),
}
FILLING = {
    'rotate_filled': dict(type='RandomRotate', prob=0.8, degree=45.0, pad_val=114),
    'pad': dict(type='Pad', size=(70, 80), pad_val=dict(img=114, seg=255)),
    'pad_reflected': dict(type='Pad', size=(70, 80), padding_mode='reflect'),
}
DISTORTION = dict(type='PhotoMetricDistortion')


@pytest.fixture(autouse=True)
def _mmseg_scope(_registry_scope) -> None:
    init_default_scope('mmseg')


def seed(number: int) -> None:
    np.random.seed(number)
    random.seed(number)


def sample(image: np.ndarray, label: np.ndarray) -> dict:
    shape = image.shape[:2]
    fields = dict(gt_seg_map=label.copy(), seg_fields=['gt_seg_map'], label_map=None, reduce_zero_label=False)
    return dict(img=image.copy(), img_shape=shape, ori_shape=shape, **fields)


def apply(transform: dict, image: np.ndarray, label: np.ndarray, number: int) -> dict:
    built = TRANSFORMS.build(transform)
    seed(number)
    return built(sample(image, label))


images = st.tuples(st.integers(24, 50), st.integers(32, 50), st.integers(0, 2**32 - 1))


def random_pair(height: int, width: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(number)
    image = generator.integers(0, 256, (height, width, 6), dtype=np.uint8)
    return image, (generator.random((height, width)) < 0.3).astype(np.uint8)


# ---- geometry


@pytest.mark.parametrize('name', GEOMETRY)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=images, number=st.integers(0, 1000))
def test_a_pair_moves_like_each_of_its_dates_and_the_label(name: str, shape: tuple, number: int) -> None:
    image, label = random_pair(*shape)
    both = apply(GEOMETRY[name], image, label, number)
    assert both['img'].shape[:2] == both['gt_seg_map'].shape
    assert both['img'].shape[2] == 6
    for channels in (slice(0, 3), slice(3, 6)):
        alone = apply(GEOMETRY[name], image[..., channels], label, number)
        # OpenCV interpolates 3 and 6 channels by different code, which may round differently.
        np.testing.assert_allclose(both['img'][..., channels].astype(int), alone['img'].astype(int), atol=1)
        np.testing.assert_array_equal(both['gt_seg_map'], alone['gt_seg_map'])


@pytest.mark.parametrize('name', GEOMETRY)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 1000))
def test_the_label_stays_on_what_it_marks(name: str, number: int) -> None:
    """A block that both dates show as bright is where the label says, to the pixels of its edge."""
    label = np.zeros((48, 48), np.uint8)
    label[15:33, 12:36] = 1
    out = apply(GEOMETRY[name], np.repeat(label[..., None] * 255, 6, axis=2), label, number)
    marked = (out['gt_seg_map'] == 1).astype(np.uint8)
    inside = cv2.erode(marked, np.ones((5, 5)), borderValue=1).astype(bool)
    outside = cv2.dilate(marked, np.ones((5, 5)), borderValue=0) == 0
    assert (out['img'][inside] == 255).all()
    assert (out['img'][outside] == 0).all()


@pytest.mark.parametrize('name', [*GEOMETRY, *FILLING])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=images, number=st.integers(0, 1000))
def test_both_dates_repeats_the_same_geometry(name: str, shape: tuple, number: int) -> None:
    transform = {**GEOMETRY, **FILLING}[name]
    image, label = random_pair(*shape)
    both = apply(dict(type='BothDates', transforms=[transform]), image, label, number)
    after = np.random.rand()
    for channels in (slice(0, 3), slice(3, 6)):
        alone = apply(transform, image[..., channels], label, number)
        np.testing.assert_array_equal(both['img'][..., channels], alone['img'])
        np.testing.assert_array_equal(both['gt_seg_map'], alone['gt_seg_map'])
    assert after == np.random.rand(), 'the random numbers after it depend on the number of dates'


@pytest.mark.parametrize('name', FILLING)
def test_what_cannot_fill_six_channels_is_refused(name: str) -> None:
    wrapped = [
        [FILLING[name]],
        [dict(type='RandomApply', transforms=[FILLING[name]])],
        [dict(type='RandomChoice', transforms=[[GEOMETRY['flip']], [FILLING[name]]])],
    ]
    for pipeline in wrapped:
        with pytest.raises(ValueError, match=rf'{FILLING[name]["type"]} cannot fill the six channels.*BothDates'):
            check_pair_pipeline(Compose(pipeline))
    check_pair_pipeline(Compose([dict(type='BothDates', transforms=[FILLING[name]])]))


@pytest.mark.parametrize('name', ['PhotoMetricDistortion', 'CLAHE', 'RGB2Gray'])
def test_noise_for_three_channels_is_refused_outside_each_date(name: str) -> None:
    with pytest.raises(ValueError, match=rf'{name} takes one image.*EachDate'):
        check_pair_pipeline(Compose([dict(type=name)]))
    check_pair_pipeline(Compose([dict(type='EachDate', transforms=[dict(type=name)]), *GEOMETRY.values()]))


# ---- noise and order


def test_each_date_draws_its_own_noise() -> None:
    image, label = random_pair(30, 40, 0)
    image[..., 3:] = image[..., :3]
    transform = EachDate([DISTORTION])
    differ = 0
    for number in range(20):
        seed(number)
        out = transform(sample(image, label))
        np.testing.assert_array_equal(out['gt_seg_map'], label)
        assert out['img'].dtype == np.uint8
        differ += not np.array_equal(out['img'][..., :3], out['img'][..., 3:])
        # The first date's noise is what the transform draws for an image.
        alone = apply(DISTORTION, image[..., :3], label, number)
        np.testing.assert_array_equal(out['img'][..., :3], alone['img'])
    assert differ > 15


@pytest.mark.parametrize('name', GEOMETRY)
def test_each_date_refuses_geometry(name: str) -> None:
    image, label = random_pair(40, 50, 0)

    def ten_times() -> None:
        for number in range(10):
            seed(number)
            EachDate([GEOMETRY[name]])(sample(image, label))

    with pytest.raises(ValueError, match=r'EachDate\(\w+\) moves the pixels'):
        ten_times()


@given(prob=st.sampled_from([0.0, 0.5, 1.0]), number=st.integers(0, 1000))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_swapping_exchanges_the_dates_and_nothing_else(prob: float, number: int) -> None:
    image, label = random_pair(24, 32, number)
    out = apply(dict(type='SwapDates', prob=prob), image, label, number)
    swapped = np.concatenate([image[..., 3:], image[..., :3]], axis=-1)
    np.random.seed(number)
    expected = swapped if np.random.rand() < prob else image
    np.testing.assert_array_equal(out['img'], expected)
    np.testing.assert_array_equal(out['gt_seg_map'], label)


def test_a_share_of_pairs_is_swapped() -> None:
    image, label = random_pair(24, 32, 0)
    transform = SwapDates(0.25)
    seed(0)
    share = np.mean([not np.array_equal(transform(sample(image, label))['img'], image) for _ in range(2000)])
    assert abs(share - 0.25) < 0.03
    with pytest.raises(ValueError, match='prob=2 is no probability'):
        SwapDates(2)


# ---- loading


def write(path: Path, image: np.ndarray) -> str:
    assert cv2.imwrite(str(path), image)
    return str(path)


@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_a_pair_is_both_files_in_order(tmp_path: Path, suffix: str) -> None:
    image, _ = random_pair(20, 31, 3)
    paths = [
        write(tmp_path / f'{name}.{suffix}', image[..., part]) for name, part in zip('ab', np.s_[:3, 3:], strict=True)
    ]
    out = LoadImagePair()(dict(img_path=paths[0], img_path2=paths[1]))
    np.testing.assert_array_equal(out['img'], image)
    assert out['img_shape'] == out['ori_shape'] == (20, 31)


def test_real_pairs_load(data_root: Path) -> None:
    files = sorted((data_root / 'levir_cd/train/A').glob('*.png'))
    assert files
    for first in files:
        second = first.parents[1] / 'B' / first.name
        image = LoadImagePair()(dict(img_path=str(first), img_path2=str(second)))['img']
        np.testing.assert_array_equal(image[..., :3], cv2.imread(str(first)))
        np.testing.assert_array_equal(image[..., 3:], cv2.imread(str(second)))


def test_pairs_that_cannot_load_name_both_files(tmp_path: Path) -> None:
    first = write(tmp_path / 'a.png', np.zeros((20, 30, 3), np.uint8))
    smaller = write(tmp_path / 'b.png', np.zeros((20, 29, 3), np.uint8))
    deep = write(tmp_path / 'c.png', np.zeros((20, 30, 3), np.uint16))
    broken, empty, missing = (str(tmp_path / name) for name in ('d.png', 'e.png', 'f.png'))
    Path(broken).write_bytes(b'no image')
    Path(empty).touch()
    for second, error, text in [
        (smaller, ValueError, r'\(30 x 20 pixels\) and .*b\.png \(29 x 20 pixels\) differs in size'),
        (deep, ValueError, r'holds uint16 values'),
        (broken, ValueError, r'd\.png is no readable image'),
        (empty, ValueError, r'e\.png is no readable image'),
        (missing, FileNotFoundError, r'there is no file .*f\.png'),
    ]:
        with pytest.raises(error, match=text) as caught:
            LoadImagePair()(dict(img_path=first, img_path2=second))
        assert first in str(caught.value)
        assert second in str(caught.value)


def test_transforms_say_what_they_hold() -> None:
    assert 'PhotoMetricDistortion' in repr(EachDate([DISTORTION]))
    assert 'degree' in repr(BothDates([GEOMETRY['rotate']]))
    assert repr(SwapDates(0.3)) == 'SwapDates(prob=0.3)'
