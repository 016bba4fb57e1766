"""Two dates, one backbone, any head: against the two dates one by one, and inference as mmsegmentation does it."""

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

import cmid_mm.with_mmseg  # noqa: F401
from cmid_mm.models.change_detectors import PairDataPreprocessor

CHANNELS = [8, 16, 32, 64]
BACKBONE = dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8, out_indices=(0, 1, 2, 3))
MEAN, STD = [80.0, 90.0, 100.0], [10.0, 20.0, 40.0]
HEADS = {
    'fcn': dict(type='FCNHead', in_channels=64, in_index=3, channels=8, num_convs=1, norm_cfg=dict(type='BN')),
    'uper': dict(type='UPerHead', in_channels=CHANNELS, in_index=[0, 1, 2, 3], channels=8, norm_cfg=dict(type='BN')),
    'segformer': dict(
        type='SegformerHead', in_channels=CHANNELS, in_index=[0, 1, 2, 3], channels=8, norm_cfg=dict(type='BN')
    ),
    'bit': dict(type='BITHead', in_channels=32),
}


@pytest.fixture(autouse=True)
def _mmseg_scope(_registry_scope) -> None:
    init_default_scope('mmseg')


def build(join: str, head: str | dict, **kwargs) -> nn.Module:
    torch.manual_seed(0)
    cfg = ConfigDict(
        type='TwoDateEncoderDecoder',
        data_preprocessor=dict(type='PairDataPreprocessor', mean=MEAN, std=STD, bgr_to_rgb=True, size_divisor=1),
        join=dict(type=join),
        backbone=BACKBONE,
        decode_head=dict(HEADS[head] if isinstance(head, str) else head, num_classes=2),
        test_cfg=dict(mode='whole'),
    )
    cfg.update(kwargs)
    return MODELS.build(cfg).eval()


def doubled(head: dict) -> dict:
    channels = head['in_channels']
    return dict(head, in_channels=2 * channels if isinstance(channels, int) else [2 * value for value in channels])


def samples(count: int, size: tuple[int, int]) -> list[SegDataSample]:
    made = []
    for index in range(count):
        sample = SegDataSample(metainfo=dict(img_shape=size, ori_shape=size, pad_shape=size))
        label = torch.from_numpy(np.random.default_rng(index).integers(0, 2, (1, *size)))
        sample.gt_sem_seg = PixelData(data=label)
        made.append(sample)
    return made


def dates(size: tuple[int, int] = (64, 64), count: int = 2) -> Tensor:
    return torch.randn(count, 6, *size, generator=torch.Generator().manual_seed(0))


# ---- the wrapper


@pytest.mark.parametrize(
    ('join', 'expected'),
    [
        ('AbsoluteDifference', lambda one, other: (one - other).abs()),
        ('Concatenation', lambda one, other: torch.cat([one, other], dim=1)),
        ('KeepDates', lambda one, other: torch.stack([one, other], dim=1)),
    ],
)
def test_one_pass_gives_what_each_date_gives_alone(join: str, expected) -> None:
    head = dict(Concatenation=doubled(HEADS['fcn']), KeepDates=HEADS['bit']).get(join, HEADS['fcn'])
    model = build(join, head)
    inputs = dates()
    first, second = model.backbone(inputs[:, :3]), model.backbone(inputs[:, 3:])
    joined = model.extract_feat(inputs)
    assert len(joined) == 4
    for ours, one, other in zip(joined, first, second, strict=True):
        torch.testing.assert_close(ours, expected(one, other), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('head', ['fcn', 'uper', 'segformer'])
def test_any_head_sees_no_change_between_equal_dates(head: str) -> None:
    model = build('AbsoluteDifference', head)
    image = torch.randn(1, 3, 64, 64)
    maps = model.extract_feat(torch.cat([image, image], dim=1))
    assert all(map_.abs().max() < 1e-5 for map_ in maps)
    first, second = dates()[:1].split(3, dim=1)
    logits = model(torch.cat([first, second], dim=1))
    torch.testing.assert_close(logits, model(torch.cat([second, first], dim=1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('size', [(64, 96), (61, 75)])
@pytest.mark.parametrize(('join', 'head'), [('AbsoluteDifference', 'uper'), ('KeepDates', 'bit')])
def test_losses_and_predictions_of_any_size(join: str, head: str, size: tuple[int, int]) -> None:
    auxiliary = dict(HEADS['fcn'], num_classes=2) if head == 'uper' else None
    model = build(join, head, auxiliary_head=auxiliary)
    labelled = samples(2, size)
    with torch.no_grad():
        predicted = model(dates(size), labelled, mode='predict')
    assert all(sample.pred_sem_seg.data.shape == (1, *size) for sample in predicted)
    assert all(sample.seg_logits.data.shape == (2, *size) for sample in predicted)
    inputs = dates(size).requires_grad_()
    losses = model.train()(inputs, samples(2, size), mode='loss')
    assert ('aux.loss_ce' in losses) == (auxiliary is not None)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert (inputs.grad.flatten(2).abs().amax(-1) > 0).all(), 'a channel of a date gets no gradient'


def test_a_neck_takes_the_joined_maps() -> None:
    neck = dict(type='FPN', in_channels=[2 * value for value in CHANNELS], out_channels=6, num_outs=4)
    head = dict(HEADS['fcn'], in_channels=6, in_index=0)
    model = build('Concatenation', head, neck=neck)
    assert [tuple(map_.shape[1:]) for map_ in model.extract_feat(dates())] == [
        (6, 16, 16),
        (6, 8, 8),
        (6, 4, 4),
        (6, 2, 2),
    ]
    with pytest.raises(ValueError, match='FPN cannot take the two dates'):
        build('KeepDates', 'bit', neck=neck)


def test_sliding_windows_are_the_windows_one_by_one() -> None:
    test_cfg = dict(mode='slide', crop_size=(32, 32), stride=(32, 32))
    model = build('KeepDates', 'bit', test_cfg=test_cfg)
    inputs = dates((64, 96), 1)
    with torch.no_grad():
        logits = model.predict(inputs, samples(1, (64, 96)))[0].seg_logits.data
        for top in (0, 32):
            for left in (0, 32, 64):
                window = (..., slice(top, top + 32), slice(left, left + 32))
                torch.testing.assert_close(logits[window], model(inputs[window])[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('head', ['fcn', 'uper'])
def test_channels_that_do_not_fit_the_join_are_named(head: str) -> None:
    with pytest.raises(
        ValueError, match=r'decode_head: in_channels=\[.*64\] .* Concatenation leaves \[.*128\] channels'
    ):
        build('Concatenation', head).extract_feat(dates())
    build('Concatenation', doubled(HEADS[head])).extract_feat(dates())
    auxiliary = dict(HEADS['fcn'], in_channels=5, num_classes=2)
    with pytest.raises(ValueError, match=r'auxiliary_head: in_channels=\[5\]'):
        build('AbsoluteDifference', head, auxiliary_head=auxiliary).extract_feat(dates())


def test_heads_of_all_maps_at_one_size_fit() -> None:
    head = dict(HEADS['fcn'], in_channels=CHANNELS, in_index=[0, 1, 2, 3], input_transform='resize_concat')
    assert build('AbsoluteDifference', head)(dates()).shape == (2, 2, 16, 16)


def test_one_date_is_refused() -> None:
    with pytest.raises(ValueError, match=r'two dates.*\(1, 3, 64, 64\)'):
        build('AbsoluteDifference', 'fcn')(torch.zeros(1, 3, 64, 64))


# ---- the preprocessor


@pytest.mark.parametrize('options', [dict(bgr_to_rgb=True), dict(rgb_to_bgr=True), dict()])
@pytest.mark.parametrize('training', [True, False])
def test_each_date_is_preprocessed_like_an_image(options: dict, training: bool) -> None:
    options = dict(mean=MEAN, std=STD, size_divisor=32, test_cfg=dict(size_divisor=32), **options)
    pair, single = PairDataPreprocessor(**options), SegDataPreProcessor(**options)
    images = [torch.randint(0, 256, (6, 40, 50), dtype=torch.uint8) for _ in range(2)]

    def batch(inputs: list[Tensor]) -> dict:
        return dict(inputs=inputs, data_samples=samples(2, (40, 50)))

    ours = pair(batch(images), training=training)
    assert ours['inputs'].shape == (2, 6, 64, 64)
    for channels in (slice(0, 3), slice(3, 6)):
        theirs = single(batch([image[channels] for image in images]), training=training)
        assert torch.equal(ours['inputs'][:, channels], theirs['inputs'])
        for one, other in zip(ours['data_samples'], theirs['data_samples'], strict=True):
            assert torch.equal(one.gt_sem_seg.data, other.gt_sem_seg.data)


def test_one_mean_for_all_channels_and_none() -> None:
    image = torch.full((6, 4, 4), 50.0)
    assert (PairDataPreprocessor(mean=[30.0], std=[10.0])(dict(inputs=[image]))['inputs'] == 2).all()
    assert (PairDataPreprocessor()(dict(inputs=[image]))['inputs'] == 50).all()


def test_a_single_date_does_not_pass_the_preprocessor() -> None:
    with pytest.raises(ValueError, match=r'6 channels.*\(3, 4, 4\).*LoadImagePair'):
        PairDataPreprocessor()(dict(inputs=[torch.zeros(3, 4, 4)]))
