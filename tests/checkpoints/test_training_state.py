"""Pretraining goes on here from where official CMID stopped."""

import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.models.backbones import ResNet
from torch import nn
from torch.nn.utils import weight_norm

from cmid_mm.checkpoints import CheckpointError, convert_training_state, extract_backbone, load_checkpoint


class Networks(nn.Module):
    """The networks of official CMID by their names (shared/golden/README.md), around any backbone of mmpretrain."""

    def __init__(self, backbone, channels):
        super().__init__()
        self.online_encoder = nn.Module()
        self.online_encoder.model = backbone()
        self.online_encoder.mask_token = nn.Parameter(torch.randn(1, 8, 1, 1))
        self.branch_encoder = backbone()
        self.mim2org = nn.Module()
        self.mim2org.decoder_pred = nn.Sequential(nn.Conv2d(channels, 32 * 32 * 3, 1))
        for name in ('online', 'branch'):
            projector = nn.Module()
            projector.layer = nn.ModuleList(
                [nn.Sequential(nn.Linear(channels, 32), nn.Identity(), nn.ReLU(), nn.Linear(32, 16))]
            )
            self.add_module(f'{name}_projector', projector)
        for name in ('class_projector', 'branch_class_projector'):
            layers = []
            for width in (channels, 32):
                layers += [nn.Conv1d(width, 32, 1), nn.BatchNorm1d(32), nn.GELU()]
            projector = nn.Module()
            projector.mlp = nn.Sequential(*layers, nn.Conv1d(32, 16, 1))
            projector.last_layer = weight_norm(nn.Conv1d(16, 24, 1, bias=False))
            projector.last_layer.weight_g.data.fill_(1)
            self.add_module(name, projector)
        self.register_buffer('queue', nn.functional.normalize(torch.randn(16, 32), dim=0))
        self.register_buffer('queue_ptr', torch.full((1,), 8))
        self.class_loss = nn.Module()
        self.class_loss.register_buffer('center', torch.randn(1, 24, 1))


@pytest.fixture
def official(tiny_config, tmp_path):
    """A file of official CMID whose model is that of ``tiny_config``, and its state."""
    networks = Networks(lambda: ResNet(18, stem_channels=8, base_channels=8), 64)
    state = {name: value.clone() for name, value in networks.state_dict().items()}
    torch.save(dict(model=state), tmp_path / 'official.pth')
    return tmp_path / 'official.pth', state


PAIRS = {
    'backbone.layer2.0.conv1.weight': 'online_encoder.model.layer2.0.conv1.weight',
    'backbone.mask_token': 'online_encoder.mask_token',
    'teacher.layer2.0.conv1.weight': 'branch_encoder.layer2.0.conv1.weight',
    'reconstruction_head.decoder.0.weight': 'mim2org.decoder_pred.0.weight',
    'global_head.projector.mlp.2.weight': 'online_projector.layer.0.3.weight',
    'global_head.teacher_projector.mlp.0.bias': 'branch_projector.layer.0.0.bias',
    'global_head.queue.keys': 'queue',
    'global_head.queue.pointer': 'queue_ptr',
    'local_head.projector.mlp.4.running_var': 'class_projector.mlp.4.running_var',
    'local_head.teacher_projector.prototypes.weight': 'branch_class_projector.last_layer.weight_v',
    'local_head.loss_module.center': 'class_loss.center',
}


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_every_tensor_finds_its_place_and_pretraining_goes_on(official, tiny_config, tmp_path, suffix):
    path, theirs = official
    done = convert_training_state(path, tmp_path / f'ours{suffix}')
    assert done.dropped == dict(weight_g=2)
    assert done.used == len(theirs) - 2
    ours = load_checkpoint(done.out)['state_dict']
    for name, their_name in PAIRS.items():
        assert torch.equal(ours[name].flatten(), theirs[their_name].flatten()), name

    tiny_config.load_from = str(done.out)
    runner = Runner.from_cfg(tiny_config)
    assert set(ours) == set(runner.model.state_dict())
    started = []
    runner.model.set_max_steps = lambda steps: (
        started.append({name: value.clone() for name, value in runner.model.state_dict().items()}),
        type(runner.model).set_max_steps(runner.model, steps),
    )
    runner.train()
    assert all(torch.equal(value, ours[name]) for name, value in started[0].items())
    assert not torch.equal(runner.model.backbone.conv1.weight, ours['backbone.conv1.weight'])
    assert all(torch.isfinite(value).all() for value in runner.model.state_dict().values())


def test_a_backbone_can_be_extracted_from_it(official, tmp_path):
    convert_training_state(official[0], tmp_path / 'ours.pth')
    loaded = load_checkpoint(
        extract_backbone(tmp_path / 'ours.pth', tmp_path / 'teacher.pth', 'teacher', image_size=64)
    )
    expected = official[1]['branch_encoder.conv1.weight']
    assert torch.equal(loaded['state_dict']['conv1.weight'], expected)
    assert loaded['meta']['normalisation']['mean'] == [86.18235, 91.9275, 85.374]


def test_what_is_not_whole_is_refused(official, tmp_path):
    def refused(change, message):
        torch.save(change(dict(official[1])), tmp_path / 'bad.pth')
        with pytest.raises(CheckpointError, match=message):
            convert_training_state(tmp_path / 'bad.pth', tmp_path / 'out.pth')
        assert not (tmp_path / 'out.pth').exists()

    def without(name):
        return lambda state: dict(model={key: value for key, value in state.items() if key != name})

    refused(without('branch_encoder.bn1.weight'), r'1 missing \(teacher.bn1.weight\)')
    refused(without('queue'), "it has no 'global_head.queue.keys'")
    refused(lambda state: dict(model=state | dict(extra=torch.ones(2))), r'1 unexpected \(extra\)')
    refused(lambda state: dict(state_dict=state), 'holds no training state of official CMID')
    refused(
        lambda state: dict(model=state | {'class_projector.last_layer.weight_g': torch.full((24, 1, 1), 2.0)}),
        'class_projector.last_layer.weight_g is not 1 everywhere',
    )


@pytest.mark.slow
def test_the_command_converts_it(official, tmp_path, run_tool):
    said = run_tool('convert_checkpoint.py', official[0], tmp_path / 'ours.pth', '--training-state')
    assert 'loads strictly into CMID' in said
    said = run_tool('convert_checkpoint.py', tmp_path / 'ours.pth', tmp_path / 'bare.pth', fails=True)
    assert 'is a training checkpoint of this package; run tools/extract_backbone.py' in said
