"""Photometric noise: torchvision's maths within a grey level, the drawn ranges, and statistics of
the noise."""

import math

import cv2
import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as tv
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.transforms import Compose
from mmpretrain.registry import TRANSFORMS

from cmid_mm.datasets.transforms import photometric

PAIRS = {
    'brightness': (photometric.adjust_brightness, tv.adjust_brightness),
    'contrast': (photometric.adjust_contrast, tv.adjust_contrast),
    'saturation': (photometric.adjust_saturation, tv.adjust_saturation),
    'hue': (photometric.adjust_hue, tv.adjust_hue),
}


def by_torchvision(function, img: np.ndarray, *arguments) -> np.ndarray:
    return function(torch.from_numpy(img).permute(2, 0, 1), *arguments).permute(1, 2, 0).numpy()


def largest_difference(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def images(data_root) -> list[np.ndarray]:
    """Noise (every colour), flat grey ramp, and real scenes of bright, dark and green content."""
    noise = np.random.RandomState(0).randint(0, 256, (224, 224, 3)).astype(np.uint8)
    ramp = np.repeat(np.arange(256, dtype=np.uint8), 768).reshape(256, 256, 3)
    real = [
        cv2.cvtColor(cv2.imread(str(next((data_root / 'ucmerced' / name).iterdir()))), 4)
        for name in ('harbor', 'beach', 'forest', 'runway')
    ]
    return [noise, ramp, *real]


def test_colour_operations_equal_torchvision_within_one_level(data_root):
    for img in images(data_root):
        for name in ('brightness', 'contrast', 'saturation'):
            ours, theirs = PAIRS[name]
            for factor in (0.0, 0.6, 0.8, 0.95, 1.0, 1.13, 1.4, 2.0):
                difference = largest_difference(ours(img, factor), by_torchvision(theirs, img, factor))
                assert difference <= 1, (name, factor)
        for shift in (-0.5, -0.1, -0.03, 0.0, 0.04, 0.1, 0.5):
            difference = largest_difference(
                photometric.adjust_hue(img, shift), by_torchvision(tv.adjust_hue, img, shift)
            )
            assert difference <= 1, ('hue', shift)
        gray = by_torchvision(tv.rgb_to_grayscale, img, 3)
        assert largest_difference(photometric.to_gray(img), gray) <= 1


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    name=st.sampled_from(sorted(PAIRS)),
    amount=st.floats(-0.98, 1),
    levels=st.sampled_from([2, 17, 256]),
)
def test_any_amount_equals_torchvision_within_one_level(seed, name, amount, levels):
    ours, theirs = PAIRS[name]
    amount = amount / 2 if name == 'hue' else 1 + amount
    img = np.random.RandomState(seed).randint(0, levels, (32, 24, 3)) * (255 // (levels - 1))
    img = img.astype(np.uint8)
    assert largest_difference(ours(img, amount), by_torchvision(theirs, img, amount)) <= 1


def test_an_amount_of_nothing_leaves_the_image_alone(data_root):
    for img in images(data_root):
        for name, (ours, _) in PAIRS.items():
            np.testing.assert_array_equal(ours(img, 0.0 if name == 'hue' else 1.0), img)


@given(factor=st.floats(0, 2))
def test_saturation_leaves_greys_alone(factor):
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    np.testing.assert_array_equal(photometric.adjust_saturation(ramp, factor), ramp)


def test_solarize_of_mmpretrain_is_torchvisions(data_root):
    solarize = TRANSFORMS.build(dict(type='Solarize', thr=128, prob=1.0))
    for img in images(data_root):
        expected = by_torchvision(tv.solarize, img, 128)
        np.testing.assert_array_equal(solarize(dict(img=img))['img'], expected)


def test_blur_equals_torchvision_before_it_rounds(data_root):
    """Half a level: what is left is only the rounding of the result."""
    for img in images(data_root):
        for kernel in (3, 5, 7):
            for sigma in (0.1, 0.4, 1.1, 2.0):
                out = photometric.gaussian_blur(img, kernel, sigma)
                expected = by_torchvision(tv.gaussian_blur, img.astype(np.float32), [kernel] * 2, [sigma] * 2)
                assert np.abs(out - expected).max() < 0.501, (kernel, sigma)


def test_blur_draws_all_kernels_and_sigmas():
    np.random.seed(0)
    drawn = [photometric.RandomGaussianBlur().draw()[0].amounts for _ in range(100)]
    assert {kernel for kernel, _ in drawn} == {3, 5, 7}
    sigmas = [sigma for _, sigma in drawn]
    assert 0.1 <= min(sigmas) < 0.2
    assert 1.9 < max(sigmas) <= 2.0


@pytest.mark.parametrize('variance', [10.0, 50.0])
def test_noise_is_gaussian_of_the_given_variance_and_independent(variance):
    np.random.seed(1)
    img = np.full((400, 400, 3), 128, np.uint8)
    out = photometric.RandomGaussianNoise((variance, variance), prob=1.0)(dict(img=img))['img']
    noise = out.astype(float) - 128
    assert noise.mean() == pytest.approx(0, abs=0.05)
    # Rounding to whole levels adds a twelfth.
    assert noise.var() == pytest.approx(variance + 1 / 12, rel=0.02)
    standard = noise / noise.std()
    assert (standard**3).mean() == pytest.approx(0, abs=0.03)
    assert (standard**4).mean() == pytest.approx(3, abs=0.06)
    for neighbour in (standard[1:] * standard[:-1], standard[:, 1:] * standard[:, :-1]):
        assert neighbour.mean() == pytest.approx(0, abs=0.01)
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert (standard[..., a] * standard[..., b]).mean() == pytest.approx(0, abs=0.015)


@pytest.mark.parametrize('sigma', [0.0, 0.4, 3.7, 60.0])
def test_noise_has_each_whole_level_as_often_as_a_rounded_normal_variable(sigma):
    size = 3_000_000
    img = np.full((1000, 1000, 3), 128, np.uint8)
    levels = np.bincount(photometric.add_noise(img, sigma, 3).ravel(), minlength=256) / size
    edges = (np.arange(257) - 128.5) / max(sigma, 1e-9)
    edges[[0, -1]] = -np.inf, np.inf  # cut to 0 and 255
    expected = np.diff(torch.special.ndtr(torch.from_numpy(edges)).numpy())
    assert np.abs(levels - expected).max() < 5 * math.sqrt(0.25 / size)


def test_noise_of_different_seeds_is_unrelated():
    img = np.full((300, 300, 3), 128, np.uint8)
    noise = np.stack([photometric.add_noise(img, 5.0, seed).ravel() for seed in range(20)]).astype(float)
    between = np.corrcoef(noise)[~np.eye(20, dtype=bool)]
    assert np.abs(between).max() < 5 / math.sqrt(img.size)


def test_noise_differs_between_calls_and_stays_within_eight_bits():
    transform = photometric.RandomGaussianNoise(prob=1.0)
    for value in (0, 255):
        img = np.full((64, 64, 3), value, np.uint8)
        first, second = (transform(dict(img=img))['img'].astype(int) for _ in range(2))
        assert (first != second).any()
        # Half the pixels are cut to the end of the range; none wraps to the other end.
        assert np.abs(first - value).max() < 60


@pytest.mark.parametrize(
    'config',
    [
        dict(type='RandomColorJitter', prob=0.3),
        dict(type='RandomGaussianBlur', prob=0.3),
        dict(type='RandomGaussianNoise', prob=0.3),
        dict(type='RandomToGray', prob=0.3),
    ],
)
def test_a_transform_is_applied_as_often_as_asked_and_repeats_under_a_seed(config):
    transform = TRANSFORMS.build(config)
    img = np.random.RandomState(0).randint(0, 256, (16, 16, 3)).astype(np.uint8)
    img.flags.writeable = False
    before = img.copy()

    def run() -> list[np.ndarray]:
        np.random.seed(5)
        return [transform(dict(img=img))['img'] for _ in range(1000)]

    first, second = run(), run()
    changed = np.mean([(out != img).any() for out in first])
    assert changed == pytest.approx(0.3, abs=0.07)
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    np.testing.assert_array_equal(img, before)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_jitter_applies_the_drawn_amounts_in_the_drawn_order(seed):
    img = np.random.RandomState(3).randint(0, 256, (16, 16, 3)).astype(np.uint8)
    transform = photometric.RandomColorJitter(prob=1.0)
    np.random.seed(seed)
    out = transform(dict(img=img))['img']

    np.random.seed(seed)
    np.random.rand()
    order = np.random.permutation(4)
    amounts = [np.random.uniform(*r) for r in ((0.6, 1.4), (0.6, 1.4), (0.8, 1.2), (-0.1, 0.1))]
    names = ('brightness', 'contrast', 'saturation', 'hue')
    expected = img
    for index in order:
        expected = PAIRS[names[index]][0](expected, amounts[index])
    np.testing.assert_array_equal(out, expected)


STEPS = [
    dict(type='RandomColorJitter', prob=0.8),
    dict(type='RandomGaussianBlur', prob=0.9),
    dict(type='RandomGaussianNoise', prob=0.6),
    dict(type='Solarize', thr=128, prob=0.3),
    dict(type='RandomToGray', prob=0.3),
]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(STEPS), taken=st.integers(0, 5))
def test_drawing_alone_draws_what_the_steps_do_and_changes_no_pixel(seed, order, taken):
    """What is written down, applied, gives the image of the steps, and both leave np.random the same."""
    steps = [TRANSFORMS.build(step) for step in order[:taken]]
    img = np.random.RandomState(1).randint(0, 256, (24, 20, 3)).astype(np.uint8)
    np.random.seed(seed)
    expected = Compose(steps)(dict(img=img))['img']
    after = np.random.rand()

    np.random.seed(seed)
    results = photometric.DrawPhotometricNoise(steps)(dict(img=img))
    assert np.random.rand() == after
    assert results['img'] is img
    assert (results['noise'].shape, results['noise'].dtype) == ((8, 3), np.float64)
    functions = {
        **{name: lambda img, amount, _, ours=ours: ours(img, amount) for name, (ours, _) in PAIRS.items()},
        'blur': lambda img, kernel, sigma: photometric.gaussian_blur(img, int(kernel), sigma),
        'noise': lambda img, sigma, seed: photometric.add_noise(img, sigma, int(seed)),
        'solarize': lambda img, threshold, _: np.where(img < threshold, img, 255 - img),
        'gray': lambda img, *_: photometric.to_gray(img),
    }
    out = img
    for number, *amounts in results['noise']:
        if number:
            out = functions[photometric.OPERATIONS[int(number) - 1]](out, *amounts)
    np.testing.assert_array_equal(out, expected)


def test_every_step_has_rows_of_its_own():
    draw = photometric.DrawPhotometricNoise(STEPS, num_operations=9)
    np.random.seed(0)
    img = np.zeros((8, 8, 3), np.uint8)
    rows = np.stack([draw(dict(img=img))['noise'][:, 0] for _ in range(100)])
    kinds = [set(column) for column in rows.T]
    assert kinds == [{0, 1, 2, 3, 4}] * 4 + [{0, 5}, {0, 6}, {0, 7}, {0, 8}, {0}]


def test_a_threshold_drawn_from_a_range_is_written_down():
    step = dict(type='Solarize', magnitude_range=(0, 256), magnitude_std='inf', prob=1.0)
    draw = photometric.DrawPhotometricNoise([step])
    np.random.seed(0)
    thresholds = [draw(dict(img=np.zeros((8, 8, 3), np.uint8)))['noise'][0, 1] for _ in range(50)]
    assert min(thresholds) < 30
    assert max(thresholds) > 226


def test_views_are_gathered_with_and_without_noise():
    img = np.zeros((8, 8, 3), np.uint8)
    views = [[dict(type='DrawPhotometricNoise', steps=steps)] for steps in ([], STEPS)]
    noise = TRANSFORMS.build(dict(type='TwoViews', views=views))(dict(img=img))['noise']
    assert (noise.shape, noise.dtype) == ((2, 8, 3), torch.float64)
    assert not noise[0].any()


def test_steps_that_the_device_does_not_compute_are_refused():
    step = dict(type='ColorJitter', brightness=0.1)
    with pytest.raises(ValueError, match=r'steps\[1\] is ColorJitter, which the device does not compute'):
        photometric.DrawPhotometricNoise([dict(type='RandomToGray'), step])
    with pytest.raises(KeyError, match='RandomToGrey is not in'):
        photometric.DrawPhotometricNoise([dict(type='RandomToGrey')])
    with pytest.raises(ValueError, match=r'take up to 9 operations.* set num_operations=9'):
        photometric.DrawPhotometricNoise([*STEPS, STEPS[1]])
    draw = photometric.DrawPhotometricNoise([dict(type='RandomGaussianBlur')])
    with pytest.raises(ValueError, match=r'a/b\.tif is uint8 of shape \(8, 8, 4\)'):
        draw(dict(img=np.zeros((8, 8, 4), np.uint8), img_path='a/b.tif'))


@pytest.mark.parametrize('bands', [1, 3, 4, 8])
def test_blur_and_noise_take_any_number_of_bands(bands):
    img = np.random.RandomState(0).randint(0, 256, (32, 24, bands)).astype(np.uint8)
    for transform in (
        photometric.RandomGaussianBlur(sigma_range=(2, 2)),
        photometric.RandomGaussianNoise(prob=1.0),
    ):
        out = transform(dict(img=img))['img']
        assert out.shape == img.shape
        assert all((out[..., band] != img[..., band]).any() for band in range(bands))


@pytest.mark.parametrize('name', ['RandomColorJitter', 'RandomToGray'])
def test_colour_transforms_refuse_other_than_rgb_and_name_the_file(name):
    transform = TRANSFORMS.build(dict(type=name))
    img = np.zeros((8, 8, 4), np.uint8)
    with pytest.raises(ValueError, match=r'a/b\.tif is uint8 of shape \(8, 8, 4\)'):
        transform(dict(img=img, img_path='a/b.tif'))


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='RandomGaussianBlur', kernel_range=(2, 7)), 'kernel_range'),
        (dict(type='RandomGaussianBlur', kernel_range=(7, 3)), 'kernel_range'),
        (dict(type='RandomGaussianBlur', sigma_range=(0, 1)), 'sigma_range'),
        (dict(type='RandomGaussianNoise', variance_range=(50, 10)), 'variance_range'),
        (dict(type='RandomGaussianNoise', variance_range=(0, 1e6)), 'variance_range'),
        (dict(type='RandomColorJitter', prob=1.5), 'prob=1.5'),
        (dict(type='RandomColorJitter', hue=-0.1), 'hue'),
        (dict(type='RandomToGray', prob=-1), 'prob=-1'),
    ],
)
def test_wrong_settings_are_refused_at_build_time(config, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(config)
