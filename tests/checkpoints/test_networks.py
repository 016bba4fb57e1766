"""Networks that are shown images: every kind of checkpoint gives the network that was trained, and its pixels."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from cmid_mm.checkpoints import CheckpointError, extract_backbone, load_backbone, load_pretraining
from cmid_mm.checkpoints.components import check_components
from cmid_mm.checkpoints.config_text import pixels_of_config
from cmid_mm.visualization.command import features_of

CLASSIFIER = """
size = 64
data_preprocessor = dict(mean=[10, 20, 30], std=[40, 50, 60])
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, stem_channels=4, base_channels=4, out_indices=(2, 3)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=32),
)
"""


@pytest.fixture
def trained(tiny_config, tmp_path, randomised):
    """A CMID whose networks all differ, and its checkpoint."""
    model = randomised(MODELS.build(tiny_config.model))
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=tiny_config.pretty_text)), path)
    return model, path


@pytest.mark.parametrize('role', ['student', 'teacher'])
def test_a_training_checkpoint_and_its_extracted_backbone_are_one_network(trained, role, tmp_path):
    model, path = trained
    network = load_backbone(path, role)
    assert (network.size, network.is_bgr, network.cfg['size']) == (96, False, 96)
    image = torch.randn(2, 3, 64, 64)
    expected = dict(student=model.backbone, teacher=model.teacher)[role](image)[-1]
    torch.testing.assert_close(network.module(image)[-1], expected, rtol=0, atol=0)
    extracted = load_backbone(extract_backbone(path, tmp_path / 'backbone.safetensors', role, image_size=64))
    torch.testing.assert_close(extracted.module(image)[-1], expected, rtol=0, atol=0)
    assert (extracted.mean, extracted.std, extracted.size) == (network.mean, network.std, None)
    assert not extracted.module.training


def test_a_whole_model_has_its_heads_and_teacher(trained):
    model, path = trained
    loaded = load_pretraining(path).module
    assert not loaded.training
    state = loaded.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_channels_come_in_the_order_of_training(tmp_path):
    scope = {}
    exec(CLASSIFIER, scope)
    model = MODELS.build(scope['model'])
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=CLASSIFIER)), tmp_path / 'epoch_1.pth')
    network = load_backbone(tmp_path / 'epoch_1.pth')
    assert network.is_bgr
    rgb = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    bgr = torch.from_numpy(rgb[..., ::-1].copy()).permute(0, 3, 1, 2).float()
    inputs = (bgr - torch.tensor([10, 20, 30]).view(3, 1, 1)) / torch.tensor([40, 50, 60]).view(3, 1, 1)
    model.eval()
    expected = model.backbone(inputs)[-1].mean(dim=(2, 3)).detach()
    np.testing.assert_allclose(features_of(network, rgb, 'cpu'), expected, rtol=1e-4, atol=1e-5)


def test_views_of_this_package_are_rgb_where_the_config_has_no_pipeline():
    # As convert_training_state writes it.
    settings = dict(type='ViewsDataPreprocessor', mean=[1, 2, 3], std=[4, 5, 6])
    assert pixels_of_config(dict(model=dict(data_preprocessor=settings)))['channel_order'] == 'RGB'
    assert pixels_of_config(dict(data_preprocessor=dict(settings, type='DataPreprocessor')))['channel_order'] == 'BGR'


def test_what_cannot_be_shown_an_image_is_refused_in_one_sentence(trained, tmp_path):
    model, path = trained
    state = model.backbone.state_dict()
    plain = dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8)
    pixels = dict(normalisation=dict(mean=[0] * 3, std=[1] * 3))
    for meta, sentence in (
        ({}, 'does not say what it holds; give a file of'),
        (dict(backbone=plain), 'does not say how three channels are normalised'),
        (dict(backbone=plain, normalisation=dict(mean=[0] * 10, std=[1] * 10)), 'does not say how three channels'),
        (dict(backbone=plain, pixel_values='decibels', **pixels), 'expects decibels, which image files do not hold'),
        (dict(backbone=dict(plain, depth=34), **pixels), 'the config in it does not describe what was trained'),
    ):
        state.pop('mask_token', None)
        torch.save(dict(state_dict=state, meta=meta), tmp_path / 'b.pth')
        with pytest.raises(CheckpointError, match=sentence):
            load_backbone(tmp_path / 'b.pth')
    with pytest.raises(CheckpointError, match='is a backbone without the heads of its training'):
        load_pretraining(tmp_path / 'b.pth')
    torch.save(dict(state_dict={'backbone.x': torch.ones(1)}, meta=torch.load(path)['meta']), tmp_path / 'c.pth')
    with pytest.raises(CheckpointError, match=r"has no weights under 'teacher\.'"):
        load_backbone(tmp_path / 'c.pth', 'teacher')


@pytest.mark.slow
def test_every_config_of_pretraining_is_made_of_registered_components(repo):
    """Otherwise none of the tools would load its checkpoints."""
    configs = sorted((repo / 'configs').glob('*/*_ucmerced.py'))
    assert len(configs) >= 12
    for path in configs:
        check_components(Config.fromfile(path).model.to_dict(), path)
