"""``init_cfg=dict(type='Pretrained')`` loads every weight or names what is wrong."""

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from cmid_mm.checkpoints import CheckpointError, extract_backbone, load_checkpoint


def resnet(checkpoint=None, depth=18, **init):
    cfg = dict(type='mmpretrain.ResNet', depth=depth, base_channels=8, stem_channels=8, out_indices=(0, 1, 2, 3))
    if checkpoint is not None:
        cfg['init_cfg'] = dict(type='Pretrained', checkpoint=str(checkpoint), **init)
    return MODELS.build(cfg)


@pytest.fixture
def saved(tmp_path):
    """Write a state, changed by the caller, to a file."""

    def _saved(change=lambda state: state, **model):
        path = tmp_path / 'weights.pth'
        torch.save(dict(state_dict=change(resnet(**model).state_dict())), path)
        return path

    return _saved


def test_every_weight_is_loaded(saved):
    path = saved()
    model = resnet(path)
    model.init_weights()
    expected = torch.load(path, weights_only=True)['state_dict']
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: {k: v for k, v in s.items() if 'layer4.1' not in k}, r'missing \(layer4.1.*another architecture'),
        (lambda s: s | {'fc.weight': torch.zeros(1)}, r'1 unexpected \(fc.weight\).*name those .* in .*unused='),
        (
            lambda s: s | {'conv1.weight': torch.zeros(8, 6, 7, 7)},
            r'1 of another shape \(conv1.weight \(8, 6, 7, 7\), not \(8, 3, 7, 7\)\).*another architecture',
        ),
        (lambda s: {f'encoder_q.{k}': v for k, v in s.items()}, r"begin with 'encoder_q.', as another method's"),
        (lambda s: {f'backbone.{k}': v for k, v in s.items()}, r"whole model.*add prefix='backbone.'"),
        (
            lambda s: {f'{role}.{k}': v for k, v in s.items() for role in ('backbone', 'teacher')},
            r'training checkpoint; run tools/extract_backbone.py .*weights.pth OUT',
        ),
    ],
)
def test_what_does_not_fit_is_named_with_the_likely_reason(saved, change, message):
    path = saved(change)
    with pytest.raises(CheckpointError, match=message) as caught:
        resnet(path).init_weights()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(('trained', 'depth'), [(18, 50), (50, 18), (34, 18), (18, 34)])
def test_another_depth_is_named(saved, trained, depth):
    # ResNet-34 has all weights of ResNet-18 in the same shapes, and more.
    with pytest.raises(CheckpointError, match=r'does not fit this ResNet.*make the depth, width and stages'):
        resnet(saved(depth=trained), depth=depth).init_weights()


def test_a_wrong_prefix_is_named(saved):
    with pytest.raises(CheckpointError, match=r"none of its keys begins with prefix='model\.'; correct the prefix"):
        resnet(saved(), prefix='model.').init_weights()


def test_what_the_config_declares_is_allowed_and_nothing_else(saved):
    path = saved(lambda s: {k: v for k, v in s.items() if 'layer4' not in k} | {'fc.weight': torch.zeros(1)})
    resnet(path, unused=('fc.',), untrained=('layer4.',)).init_weights()
    with pytest.raises(CheckpointError, match='unexpected'):
        resnet(path, untrained=('layer4.',)).init_weights()
    with pytest.raises(CheckpointError, match='missing'):
        resnet(path, unused=('fc.',)).init_weights()


def test_a_prefix_and_the_one_of_parallel_training_are_removed(saved):
    path = saved(lambda s: {f'module.backbone.{k}': v for k, v in s.items()} | {'module.head.fc': torch.ones(1)})
    model = resnet(path, prefix='backbone.')
    model.init_weights()
    expected = torch.load(path, weights_only=True)['state_dict']['module.backbone.conv1.weight']
    assert torch.equal(model.conv1.weight, expected)


def test_a_file_without_batch_counts_is_complete(saved):
    resnet(saved(lambda s: {k: v for k, v in s.items() if 'num_batches_tracked' not in k})).init_weights()


@pytest.mark.slow
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_a_pretraining_run_is_refused_until_it_is_extracted(tiny_config, tmp_path, suffix):
    Runner.from_cfg(Config(tiny_config.to_dict())).train()
    trained = tmp_path / 'work' / 'epoch_2.pth'
    with pytest.raises(CheckpointError, match=r'run tools/extract_backbone.py .*epoch_2.pth OUT'):
        resnet(trained).init_weights()
    model = resnet(extract_backbone(trained, tmp_path / f'backbone.{suffix}', image_size=64))
    model.init_weights()
    state = load_checkpoint(trained)['state_dict']
    assert torch.equal(model.conv1.weight, state['backbone.conv1.weight'])
