"""Photometric noise on the device: the CPU transforms' levels and distributions, one image as in any batch."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmpretrain.registry import MODELS, TRANSFORMS
from mmpretrain.structures import DataSample

from cmid_mm.datasets.transforms import photometric as cpu
from cmid_mm.models.data_preprocessors import PhotometricDataPreprocessor, apply_operations

CODES = {name: number for number, name in enumerate(cpu.OPERATIONS, 1)}
ON_CPU = {
    'brightness': cpu.adjust_brightness,
    'contrast': cpu.adjust_contrast,
    'saturation': cpu.adjust_saturation,
    'hue': cpu.adjust_hue,
    'blur': lambda img, kernel, sigma: cpu.gaussian_blur(img, int(kernel), sigma),
    'solarize': lambda img, threshold: np.where(img < threshold, img, 255 - img),
    'gray': cpu.to_gray,
}
AMOUNTS = {
    'brightness': st.tuples(st.floats(0, 2)),
    'contrast': st.tuples(st.floats(0, 2)),
    'saturation': st.tuples(st.floats(0, 2)),
    'hue': st.tuples(st.floats(-0.5, 0.5)),
    'blur': st.tuples(st.sampled_from([3, 5, 7]), st.floats(0.1, 2)),
    'solarize': st.tuples(st.integers(0, 256)),
    'gray': st.just(()),
}
RECIPE = [
    dict(type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, prob=0.8),
    dict(type='RandomGaussianBlur', kernel_range=(3, 7), sigma_range=(0.1, 2.0), prob=1.0),
    dict(type='RandomGaussianNoise', variance_range=(10, 50), prob=0.6),
    dict(type='Solarize', thr=128, prob=0.2),
    dict(type='RandomToGray', prob=0.2),
]
WITHOUT_PIXEL_NOISE = [step for step in RECIPE if step['type'] != 'RandomGaussianNoise']
MEAN, STD = [86.0, 92.0, 85.0], [35.0, 34.0, 36.0]


@pytest.fixture(scope='module')
def scenes(data_root) -> list[np.ndarray]:
    """Real images (96, 64, 3) of bright, dark, green and grey content."""
    names = ('harbor', 'beach', 'forest', 'runway', 'agricultural', 'denseresidential')
    files = [next((data_root / 'ucmerced' / name).iterdir()) for name in names]
    return [cv2.cvtColor(cv2.imread(str(file))[40:136, 60:124], cv2.COLOR_BGR2RGB) for file in files]


def program(*images: list[tuple], rows: int = 8) -> torch.Tensor:
    """The array of the given operations (name, amounts...) of each image."""
    noise = np.zeros((len(images), rows, 3))
    for b, operations in enumerate(images):
        for row, (name, *amounts) in enumerate(operations):
            noise[b, row, : 1 + len(amounts)] = CODES[name], *amounts
    return torch.from_numpy(noise)


def batch(images: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def pixels(levels: torch.Tensor) -> np.ndarray:
    return levels.permute(0, 2, 3, 1).numpy().astype(int)


def draw(steps: list[dict], images: list[np.ndarray], seed: int) -> torch.Tensor:
    """What the steps draw for each image, seeded one by one, (B, 8, 3)."""
    transform = cpu.DrawPhotometricNoise(steps)
    drawn = []
    for index, img in enumerate(images):
        np.random.seed(seed + index)
        drawn.append(transform(dict(img=img))['noise'])
    return torch.from_numpy(np.stack(drawn))


def by_workers(steps: list[dict], images: list[np.ndarray], seed: int) -> np.ndarray:
    """The images that the CPU transforms make under the same seeds."""
    transform = Compose([TRANSFORMS.build(step) for step in steps])
    outputs = []
    for index, img in enumerate(images):
        np.random.seed(seed + index)
        outputs.append(transform(dict(img=img))['img'].astype(int))
    return np.stack(outputs)


@settings(deadline=None, max_examples=150)
@given(
    data=st.data(), name=st.sampled_from(sorted(AMOUNTS)), seed=st.integers(0, 2**32 - 1), real=st.integers(0, 2**20)
)
def test_every_operation_gives_the_cpu_s_levels_within_one(scenes, data, name, seed, real):
    """On a real image and on random colours, each by amounts of its own."""
    images = [scenes[real % len(scenes)], np.random.RandomState(seed).randint(0, 256, (96, 64, 3)).astype(np.uint8)]
    amounts = [data.draw(AMOUNTS[name]) for _ in images]
    out = apply_operations(batch(images), program(*[[(name, *each)] for each in amounts]))
    assert out.dtype == torch.float32
    for img, each, ours in zip(images, amounts, pixels(out), strict=True):
        assert np.abs(ours - ON_CPU[name](img, *each)).max() <= 1, each


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31))
def test_the_whole_path_gives_the_cpu_s_levels(scenes, seed):
    """Steps that follow can enlarge a difference of a level a little, in few pixels."""
    ours = pixels(apply_operations(batch(scenes), draw(WITHOUT_PIXEL_NOISE, scenes, seed)))
    difference = np.abs(ours - by_workers(WITHOUT_PIXEL_NOISE, scenes, seed))
    assert difference.max() <= 5
    assert (difference > 1).mean() < 0.005


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**31), size=st.integers(1, 6), height=st.integers(8, 40), width=st.integers(8, 40))
def test_an_image_is_the_same_in_any_batch(seed, size, height, width):
    generator = np.random.RandomState(seed % 2**32)
    images = [generator.randint(0, 256, (height, width, 3)).astype(np.uint8) for _ in range(size)]
    noise = draw(RECIPE, images, seed)
    together = apply_operations(batch(images), noise)
    torch.manual_seed(seed)
    for index, img in enumerate(images):
        alone = apply_operations(batch([img]), noise[index : index + 1])
        # Levels are whole: equal but where a value is on the edge between two.
        difference = (together[index] - alone[0]).abs()
        assert difference.max() <= 1
        assert (difference > 0).float().mean() < 0.01


def test_nothing_drawn_leaves_every_level():
    images = np.random.RandomState(0).randint(0, 256, (3, 16, 24, 3)).astype(np.uint8)
    neutral = {'brightness': (1,), 'contrast': (1,), 'saturation': (1,), 'hue': (0,), 'solarize': (256,)}
    for operations in ([], *([(name, *amounts)] for name, amounts in neutral.items())):
        out = apply_operations(batch(list(images)), program(*[operations] * 3))
        np.testing.assert_array_equal(pixels(out), images)


def test_greys_stay_grey_through_saturation_and_hue():
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    for factor in np.linspace(0, 2, 41):
        out = apply_operations(batch([ramp]), program([('saturation', factor), ('hue', factor / 4)]))
        np.testing.assert_array_equal(pixels(out)[0], ramp)


@pytest.mark.parametrize('sigma', [3.2, 7.0])
def test_noise_is_gaussian_and_independent_between_pixels_channels_and_images(sigma):
    images = torch.full((4, 3, 256, 256), 128, dtype=torch.uint8)
    seeds = [5, 6, 7, 2**31 - 2]
    noise = apply_operations(images, program(*[[('noise', sigma, seed)] for seed in seeds])).double() - 128
    assert noise.mean().item() == pytest.approx(0, abs=0.03)
    # Rounding to whole levels adds a twelfth.
    assert noise.var(dim=(1, 2, 3)).numpy() == pytest.approx(sigma**2 + 1 / 12, rel=0.02)
    standard = noise / noise.std()
    assert (standard**3).mean().item() == pytest.approx(0, abs=0.02)
    assert (standard**4).mean().item() == pytest.approx(3, abs=0.05)
    shifted = [standard.roll(1, dims) * standard for dims in (0, 1, 2, 3)]
    assert all(product.mean().abs() < 0.01 for product in shifted)


def test_noise_depends_on_its_seed_alone():
    images = torch.full((3, 3, 32, 32), 100, dtype=torch.uint8)
    noise = program(*[[('noise', 5.0, seed)] for seed in (1, 2, 1)])
    torch.manual_seed(0)
    first = apply_operations(images, noise)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    second = apply_operations(images, noise)
    assert torch.equal(first, second)
    assert torch.equal(first[0], first[2])
    assert not torch.equal(first[0], first[1])
    torch.manual_seed(0)
    assert torch.equal(state, torch.get_rng_state())


def test_noise_is_cut_to_eight_bits():
    images = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 32, 32)
    out = apply_operations(images, program([('noise', 7.0, 1)], [('noise', 7.0, 2)]))
    assert (out.min(), out.max()) == (0, 255)
    assert (out[0] > 0).float().mean().item() == pytest.approx(0.47, abs=0.05)


def kolmogorov_smirnov(a: np.ndarray, b: np.ndarray) -> float:
    """Largest distance of two samples' distribution functions, in units whose 99.99% quantile is 2.23."""
    values = np.concatenate([a, b])
    shares = [np.searchsorted(np.sort(sample), values, side='right') / len(sample) for sample in (a, b)]
    return np.abs(shares[0] - shares[1]).max() * np.sqrt(len(a) * len(b) / (len(a) + len(b)))


def summaries(images: np.ndarray) -> np.ndarray:
    """Mean and deviation of each channel, and mean difference of neighbours, of images (B, H, W, 3)."""
    roughness = np.abs(np.diff(images, axis=2)).mean(axis=(1, 2, 3))[:, None]
    return np.concatenate([images.mean(axis=(1, 2)), images.std(axis=(1, 2)), roughness], axis=1)


def test_whole_path_is_distributed_as_the_cpu_s(scenes):
    """Different seeds on the two sides: two samples of what should be one distribution."""
    images = [scenes[0]] * 500
    device = pixels(apply_operations(batch(images), draw(RECIPE, images, seed=10_000)))
    workers = by_workers(RECIPE, images, seed=50_000)
    for column, (a, b) in enumerate(zip(summaries(device).T, summaries(workers).T, strict=True)):
        assert kolmogorov_smirnov(a, b) < 2.23, column
    # The test does see a step left out.
    milder = by_workers(WITHOUT_PIXEL_NOISE, images, seed=50_000)
    assert kolmogorov_smirnov(summaries(device)[:, -1], summaries(milder)[:, -1]) > 2.23


def test_the_host_never_looks_at_the_device():
    """On torch's ``meta`` device there are no values to look at, so every attempt fails."""
    operations = [[(name, *amounts)] for name, amounts in (
        ('brightness', (1.2,)), ('contrast', (0.8,)), ('saturation', (1.1,)), ('hue', (0.05,)), ('blur', (5, 1.0)),
        ('blur', (7, 2.0)), ('noise', (4.0, 3)), ('solarize', (128,)), ('gray', ()),
    )]  # fmt: skip
    images = torch.empty(len(operations), 3, 32, 32, dtype=torch.uint8, device='meta')
    noise = program(*operations)
    with pytest.raises(RuntimeError, match='META'):  # it has no random generator either
        apply_operations(images, noise)
    noise[noise[..., 0] == CODES['noise']] = 0
    assert apply_operations(images, noise).shape == images.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_the_host_never_waits_for_a_gpu(scenes):
    data = samples_of(scenes * 4, RECIPE)
    preprocessor = PhotometricDataPreprocessor(mean=MEAN, std=STD).cuda()
    data['inputs'] = [view.pin_memory() for view in data['inputs']]
    preprocessor(data, training=True)  # sets up what is set up once
    torch.cuda.set_sync_debug_mode('error')
    try:
        out = preprocessor(data, training=True)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert out['data_samples'][0].mask.is_cuda
    on_host = PhotometricDataPreprocessor(mean=MEAN, std=STD)(data, training=True)
    assert torch.allclose(out['inputs'][0].cpu(), on_host['inputs'][0], atol=1e-4)


def samples_of(images: list[np.ndarray], steps: list[dict], seed: int = 0) -> dict:
    """A batch of two views, the first without noise, as the loader yields it."""
    views = [
        [lambda results: dict(results, img=results['img'].copy()), dict(type='DrawPhotometricNoise', steps=each)]
        for each in ([], steps)
    ]
    transforms = [dict(type='TwoViews', views=views), dict(type='PackInputs', algorithm_keys=('mask', 'noise'))]
    pipeline = Compose([TRANSFORMS.build(step) for step in transforms])
    packed = []
    for index, img in enumerate(images):
        np.random.seed(seed + index)
        packed.append(pipeline(dict(img=img.copy(), img_path=f'{index}.png', mask=np.full((2, 4, 4), index % 2))))
    return default_collate(packed)


@pytest.mark.parametrize('size', [1, 5])
def test_the_model_gets_what_it_gets_of_the_cpu_path(scenes, size):
    images = scenes[:size]
    data = samples_of(images, WITHOUT_PIXEL_NOISE)
    out = PhotometricDataPreprocessor(mean=MEAN, std=STD)(data, training=True)
    plain = MODELS.build(dict(type='SelfSupDataPreprocessor', mean=MEAN, std=STD))
    noisy = batch(list(by_workers(WITHOUT_PIXEL_NOISE, images, seed=0)))
    expected = plain(dict(inputs=[data['inputs'][0], noisy], data_samples=data['data_samples']), training=True)
    assert torch.equal(out['inputs'][0], expected['inputs'][0])
    assert (out['inputs'][1] - expected['inputs'][1]).abs().max() <= 5 / min(STD)
    for ours, theirs in zip(out['data_samples'], expected['data_samples'], strict=True):
        assert torch.equal(ours.mask, theirs.mask)
        assert ours.img_path == theirs.img_path
        assert 'noise' not in ours
        assert 'noise' in theirs  # the loader's own samples are left alone


def test_outside_training_it_only_normalises(scenes):
    views = [batch(scenes)] * 2
    data = dict(inputs=views, data_samples=[DataSample() for _ in scenes])
    out = PhotometricDataPreprocessor(mean=MEAN, std=STD)(data)
    expected = MODELS.build(dict(type='SelfSupDataPreprocessor', mean=MEAN, std=STD))(data)
    assert all(torch.equal(a, b) for a, b in zip(out['inputs'], expected['inputs'], strict=True))


def test_autocast_leaves_it_in_full_precision(scenes):
    images, noise = batch(scenes), draw(RECIPE, scenes, seed=0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = apply_operations(images, noise)
    assert torch.equal(out, apply_operations(images, noise))


def test_what_is_wrong_is_named(scenes):
    preprocessor = PhotometricDataPreprocessor(mean=MEAN, std=STD)
    data = samples_of(scenes, RECIPE)
    inputs, samples = data['inputs'], data['data_samples']
    for views, message in (
        (inputs[0], 'inputs is a Tensor, not a list of views; make views with TwoViews'),
        ([inputs[0], inputs[1].float()], r'view 1 is torch\.float32 of shape \(6, 3, 96, 64\)'),
        ([inputs[0][:, :1], inputs[1]], r'view 0 is torch\.uint8 of shape \(6, 1, 96, 64\)'),
    ):
        with pytest.raises(TypeError, match=message):
            preprocessor(dict(inputs=views, data_samples=samples), training=True)
    without = [*samples[:4], *(DataSample(mask=sample.mask) for sample in samples[4:])]
    with pytest.raises(ValueError, match='2 of 6 data samples have no noise; end every view with DrawPhotometricNoise'):
        preprocessor(dict(inputs=inputs, data_samples=without), training=True)
    with pytest.raises(ValueError, match=r'noise has shape \(2, 8, 3\) for 1 views'):
        preprocessor(dict(inputs=inputs[:1], data_samples=samples), training=True)


def test_the_config_changes_where_noise_is_computed_and_nothing_else(repo, data_root):
    """One seed gives the same crops, masks and positions on both paths."""
    path = str(sorted((data_root / 'ucmerced' / 'harbor').iterdir())[0])
    packed = []
    for name in ('cmid_views_224', 'cmid_views_224_device'):
        cfg = Config.fromfile(repo / f'configs/_base_/datasets/{name}.py')
        np.random.seed(3)
        packed.append(Compose([TRANSFORMS.build(step) for step in cfg.train_pipeline])(dict(img_path=path)))
    workers, device = packed
    assert torch.equal(workers['inputs'][0], device['inputs'][0])
    for key in ('mask', 'cell_positions'):
        assert torch.equal(workers['data_samples'].get(key), device['data_samples'].get(key))
    steps = cfg.train_pipeline[1].views[1][-1].steps
    assert [step.type for step in steps] == [step['type'] for step in RECIPE]
    assert cfg.data_preprocessor.mean == [86.18235, 91.9275, 85.374]
    # 3 is a seed that draws pixel noise, which differs between the paths, but no inverted levels.
    out = apply_operations(device['inputs'][1][None], device['data_samples'].noise[1:])[0]
    assert (out - workers['inputs'][1]).abs().mean() < 10
    assert (out.mean(dim=(1, 2)) - workers['inputs'][1].float().mean(dim=(1, 2))).abs().max() < 0.2


def test_noise_that_would_be_left_out_is_refused(scenes):
    preprocessor = MODELS.build(dict(type='ViewsDataPreprocessor', mean=MEAN, std=STD))
    with pytest.raises(ValueError, match='which would be left out'):
        preprocessor(samples_of(scenes, RECIPE), training=True)


def test_views_without_noise_are_normalised_as_mmpretrain_does(scenes):
    data = dict(inputs=[batch(scenes)] * 2, data_samples=[DataSample(mask=torch.ones(2, 4, 4)) for _ in scenes])
    ours, theirs = (
        MODELS.build(dict(type=kind, mean=MEAN, std=STD))(data, training=True)
        for kind in ('ViewsDataPreprocessor', 'SelfSupDataPreprocessor')
    )
    for own, other in zip(ours['inputs'], theirs['inputs'], strict=True):
        assert torch.equal(own, other)
    assert torch.equal(ours['data_samples'][0].mask, theirs['data_samples'][0].mask)
