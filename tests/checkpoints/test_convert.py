"""A converted backbone computes what the source's network computes, whatever the source wraps it in."""

import pytest
import timm
import torch
import torchvision
from mmengine.config import Config
from mmpretrain.registry import MODELS
from timm.models.resnet import BasicBlock, ResNet
from torch import nn
from torch.nn import functional as F

from cmid_mm.checkpoints import CheckpointError, convert_checkpoint, load_checkpoint
from cmid_mm.checkpoints.key_rules import SOURCES


def resnet(channels=3):
    """A ResNet-18 of an eighth of the width; its names are torchvision's."""
    return ResNet(
        BasicBlock, [2, 2, 2, 2], num_classes=5, in_chans=channels, channels=(8, 16, 32, 64), zero_init_last=False
    )


def resnet_stages(network, x):
    x = network.maxpool(F.relu(network.bn1(network.conv1(x))))
    stages = []
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        x = layer(x)
        stages.append(x)
    return stages


def named(state, prefix):
    return {f'{prefix}{name}': value for name, value in state.items()}


def parts(network, names=('conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4')):
    """The weights of a ResNet without its classifier."""
    return {name: value for name, value in network.state_dict().items() if name.split('.')[0] in names}


def sequential(network):
    return nn.Sequential(*list(network.children())[:-1]).state_dict()


# How each source writes a ResNet: what stands in its files beside the weights, as the real ones have it.
RESNET_FILES = dict(
    torchvision=lambda net: net.state_dict(),
    cmid=lambda net: dict(
        model=named(parts(net), 'online_encoder.model.')
        | named(parts(resnet()), 'branch_encoder.')
        | dict(queue=torch.randn(4, 8))
        | {'online_encoder.mask_token': torch.zeros(1, 64, 1, 1), 'class_projector.mlp.0.bias': torch.zeros(3)}
    ),
    openmmlab=lambda net: dict(
        meta=dict(epoch=200, mmpretrain_version='1.0'),
        state_dict=named(parts(net), 'backbone.')
        | named(parts(resnet()), 'target_net.module.0.')
        | {'neck.fc0.weight': torch.zeros(2, 2), 'data_preprocessor.mean': torch.zeros(3)},
    ),
    moco=lambda net: dict(
        epoch=200,
        arch='resnet18',
        state_dict=named(net.state_dict(), 'module.encoder_q.')
        | named(resnet().state_dict(), 'module.encoder_k.')
        | {'module.queue': torch.randn(5, 8), 'module.queue_ptr': torch.zeros(1, dtype=torch.long)},
        optimizer=dict(state={0: dict(momentum_buffer=torch.zeros(3))}),
    ),
    seco=lambda net: {
        'epoch': 199,
        'pytorch-lightning_version': '0.9.0',
        'hyper_parameters': dict(base_encoder='resnet18', emb_dim=128),
        'callbacks': {},
        'state_dict': named(sequential(net), 'encoder_q.')
        | named(sequential(resnet()), 'encoder_k.')
        | {'heads_q.0.0.weight': torch.zeros(2, 2), 'queue': torch.randn(3, 2, 4), 'queue_ptr': torch.zeros(3, 1)},
    },
    tov=lambda net: dict(state_dict=named(parts(net), 'module.features.'), epoch=800),
    vissl=lambda net: dict(
        classy_state_dict=dict(
            base_model=dict(
                model=dict(trunk=named(parts(net), '_feature_blocks.'), heads={'0.clf.0.weight': torch.zeros(2)}),
                meta=dict(config={}),
            )
        ),
        phase_idx=200,
    ),
    rsisc=lambda net: (
        named(parts(net), 'feature.') | {'classifier.1.weight': torch.zeros(5, 64), 'g.0.weight': torch.ones(2)}
    ),
)


@pytest.mark.parametrize('source', RESNET_FILES)
@pytest.mark.parametrize('given', [True, False], ids=['named', 'auto'])
def test_resnet_of_every_source(tmp_path, randomised, built, same, source, given):
    network, image = randomised(resnet()), torch.randn(2, 3, 64, 64)
    torch.save(RESNET_FILES[source](network), tmp_path / 'source.pth')
    done = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth', source if given else 'auto')
    assert (done.source, done.target) == (source, 'mmpretrain.ResNet')
    assert done.used == len(parts(network))
    with torch.no_grad():
        same(built(tmp_path / 'ours.pth', out_indices=(0, 1, 2, 3))(image), resnet_stages(network, image))


@pytest.mark.parametrize(('source', 'prefix'), [('cmid', 'branch_encoder.'), ('moco', 'module.encoder_k.')])
def test_the_teacher_comes_out_where_there_is_one(tmp_path, source, prefix):
    file = RESNET_FILES[source](resnet())
    torch.save(file, tmp_path / 'source.pth')
    convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth', role='teacher')
    loaded, theirs = load_checkpoint(tmp_path / 'ours.pth'), file['model' if source == 'cmid' else 'state_dict']
    assert loaded['meta']['role'] == 'teacher'
    assert all(torch.equal(value, theirs[prefix + name]) for name, value in loaded['state_dict'].items())


def test_bare_backbones_are_read_when_named(tmp_path):
    """What official CMID's extract.py and TorchGeo write has no mark of its origin."""
    network = resnet()
    torch.save(parts(network), tmp_path / 'bare.pth')
    for source in ('cmid', 'seco', 'openmmlab', 'torchvision'):
        out = convert_checkpoint(tmp_path / 'bare.pth', tmp_path / f'{source}.pth', source).out
        assert torch.equal(load_checkpoint(out)['state_dict']['conv1.weight'], network.conv1.weight)
        assert load_checkpoint(out)['meta']['source'] == source
    with pytest.raises(
        CheckpointError, match=r'could be of cmid, .*torchvision.*\(conv1.weight, .*say which with --from'
    ):
        convert_checkpoint(tmp_path / 'bare.pth', tmp_path / 'out.pth')
    torch.save(dict(state_dict=parts(network)), tmp_path / 'tov.pth')
    with pytest.raises(CheckpointError, match=r'could be of .*tov'):
        convert_checkpoint(tmp_path / 'tov.pth', tmp_path / 'out.pth')
    assert convert_checkpoint(tmp_path / 'tov.pth', tmp_path / 'out.pth', 'tov').facts['normalisation'] == dict(
        mean=[127.5] * 3, std=[127.5] * 3
    )


class SEN12MS(nn.Module):
    """As published: the first convolution is a member and the first of a sequence too."""

    def __init__(self, channels):
        super().__init__()
        self.conv1, *others = list(resnet(channels).children())[:-1]
        self.encoder = nn.Sequential(self.conv1, *others)
        self.FC = nn.Linear(64, 17)


def save_sen12ms(path, network):
    torch.save(
        dict(epoch=100, arch='ResNet18', model_state_dict=network.state_dict(), optimizer_state_dict={}, best_prec=0.6),
        path,
    )


def test_sen12ms_takes_rgb_where_it_took_bgr(tmp_path, randomised, built, same):
    network = randomised(SEN12MS(3))
    save_sen12ms(tmp_path / 'source.pth', network)
    facts = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'rgb.pth').facts
    kept = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'bgr.pth', keep_bgr_stem=True).facts
    bgr = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        theirs = [network.encoder[:8](bgr)]
        same(built(tmp_path / 'rgb.pth')(bgr.flip(1)), theirs)
        same(built(tmp_path / 'bgr.pth')(bgr), theirs)
    # The mean and deviation of blue come first in the source, those of red here.
    assert (facts['channel_order'], facts['normalisation']['mean'][0]) == ('RGB', 1139.6792)
    assert (kept['channel_order'], kept['normalisation']['mean'][0]) == ('BGR', 1226.4215)


@pytest.mark.parametrize(('channels', 'last'), [(2, 'VH'), (5, 'VH'), (10, 'B12'), (12, 'VH')])
def test_sen12ms_of_other_bands_stays_in_their_order(tmp_path, randomised, built, same, channels, last):
    network, image = randomised(SEN12MS(channels)), torch.randn(1, channels, 64, 64)
    save_sen12ms(tmp_path / 'source.pth', network)
    facts = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth', 'sen12ms').facts
    with torch.no_grad():
        same(built(tmp_path / 'ours.pth')(image), [network.encoder[:8](image)])
    assert len(facts['normalisation']['mean']) == len(facts['channel_order'].split()) == channels
    assert facts['channel_order'].endswith(last)


@pytest.mark.parametrize('library', ['torchvision', 'timm'])
def test_plain_resnets_of_libraries(tmp_path, randomised, built, same, library):
    create = torchvision.models.get_model if library == 'torchvision' else timm.create_model
    network, image = randomised(create('resnet18', num_classes=5)), torch.randn(1, 3, 64, 64)
    torch.save(network.state_dict(), tmp_path / 'source.pth')
    done = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth', library)
    assert done.facts['backbone'] == dict(type='mmpretrain.ResNet', depth=18)
    assert (done.facts['normalisation'] is None) == (library == 'timm')  # timm's models differ in it
    with torch.no_grad():
        same(built(tmp_path / 'ours.pth', out_indices=(0, 1, 2, 3))(image), resnet_stages(network, image))


def test_glcnet_keeps_its_output_stride(tmp_path, randomised, built, same):
    network = randomised(torchvision.models.resnet50(replace_stride_with_dilation=[False, False, True]))
    network.layer4[0].conv2.dilation = network.layer4[0].conv2.padding = (2, 2)  # torchvision's first block has 1
    file = named(parts(network), 'backbone.') | named(
        dict(a=torch.ones(1), b=torch.ones(1)), 'encoder.ASPP._atrous_convolution1.0.'
    )
    torch.save(file | {'decoder.conv1.weight': torch.ones(1), 'proj.0.weight': torch.ones(1)}, tmp_path / 'source.pth')
    done = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth')
    assert (done.source, done.dropped) == ('glcnet', dict(encoder=2, decoder=1, proj=1))
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        ours = built(tmp_path / 'ours.pth', out_indices=(0, 1, 2, 3))(image)
        same(ours, resnet_stages(network, image))
    assert ours[-1].shape[-1] == 64 // 16


def test_openmmlab_files_say_what_they_expect(tmp_path):
    cfg = Config(
        dict(
            model=dict(
                backbone=dict(type='ResNet', depth=18, style='caffe'),
                data_preprocessor=dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0], bgr_to_rgb=False),
            )
        )
    )
    network = resnet()
    torch.save(
        dict(meta=dict(cfg=cfg.pretty_text), state_dict=named(parts(network), 'backbone.')), tmp_path / 'source.pth'
    )
    facts = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth').facts
    assert facts['normalisation'] == dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0])
    assert facts['channel_order'] == 'BGR'
    assert facts['backbone']['style'] == 'caffe'


def test_every_source_is_documented(repo):
    table = (repo / 'docs/checkpoints.md').read_text()
    assert all(f'| `{name}` |' in table for name in SOURCES)


@pytest.mark.slow
@pytest.mark.parametrize('source', ['cmid', 'torchvision', 'moco', 'seco', 'tov'])
def test_resnet50_loads_in_the_config_of_a_task(tmp_path, repo, randomised, same, source):
    network, image = randomised(torchvision.models.resnet50(num_classes=5)), torch.randn(1, 3, 224, 224)
    torch.save(RESNET_FILES[source](network), tmp_path / 'source.pth')
    convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.safetensors', source)
    cfg = Config.fromfile(repo / 'configs/_base_/backbones/r50.py').backbone
    cfg.init_cfg.checkpoint = str(tmp_path / 'ours.safetensors')
    backbone = MODELS.build(cfg)
    backbone.init_weights()
    backbone.eval()
    with torch.no_grad():
        same(backbone(image), resnet_stages(network, image))
