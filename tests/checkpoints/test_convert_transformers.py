"""A converted Swin, Vision Transformer or ViTAE computes what the source's network computes."""

from argparse import Namespace
from functools import partial

import pytest
import timm
import torch
import torchvision
from mmengine.config import Config
from mmpretrain.registry import MODELS
from safetensors.torch import save_file
from timm.models.swin_transformer import SwinTransformer as TimmSwin
from torch import nn
from torch.nn import functional as F

from cmid_mm.checkpoints import convert_checkpoint, load_checkpoint

TINY_SWIN = dict(embed_dim=24, depths=[2, 2, 4, 2], num_heads=[1, 2, 4, 8])


def named(state, prefix):
    return {f'{prefix}{name}': value for name, value in state.items()}


def torchvision_swin():
    return torchvision.models.SwinTransformer(
        patch_size=[4, 4], window_size=[7, 7], stochastic_depth_prob=0, num_classes=5, **TINY_SWIN
    )


def torchvision_maps(network, image):
    """Maps before patch merging, normed as ours are: the last by the network's norm, others by one without weights."""
    x, maps = network.features[0](image), []
    for i in range(4):
        x = network.features[2 * i + 1](x)
        maps.append(network.norm(x) if i == 3 else F.layer_norm(x, x.shape[-1:]))
        x = network.features[2 * i + 2](x) if i < 3 else x
    return [m.permute(0, 3, 1, 2) for m in maps]


def timm_swin():
    return TimmSwin(img_size=224, window_size=7, num_classes=5, drop_path_rate=0.0, **TINY_SWIN)


def timm_maps(network, image):
    x, maps = network.patch_embed(image), []
    for i, layer in enumerate(network.layers):  # there merging begins a stage
        x = layer(x)
        maps.append(network.norm(x) if i == 3 else F.layer_norm(x, x.shape[-1:]))
    return [m.permute(0, 3, 1, 2) for m in maps]


def as_by_the_authors(state):
    """Names of timm's first versions and of Swin's authors: patch merging ends the stage before, buffers are saved."""
    moved = {}
    for name, value in state.items():
        if '.downsample.' in name:
            _, stage, rest = name.split('.', 2)
            name = f'layers.{int(stage) - 1}.{rest}'
        moved[name] = value
    moved['layers.0.blocks.0.attn.relative_position_index'] = torch.zeros(49, 49, dtype=torch.long)
    moved['layers.0.blocks.1.attn_mask'] = torch.zeros(64, 49, 49)
    return moved


@pytest.mark.parametrize(
    ('make', 'maps', 'names', 'source'),
    [
        (torchvision_swin, torchvision_maps, dict, 'torchvision'),
        (timm_swin, timm_maps, dict, 'timm'),
        (timm_swin, timm_maps, as_by_the_authors, 'timm'),
    ],
)
def test_swin_of_other_libraries(tmp_path, randomised, built, same, make, maps, names, source):
    network, image = randomised(make()), torch.randn(1, 3, 224, 224)
    torch.save(names(network.state_dict()), tmp_path / 'source.pth')
    done = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.safetensors')
    assert (done.source, done.target) == (source, 'mmpretrain.SwinTransformer')
    with torch.no_grad():
        same(built(tmp_path / 'ours.safetensors', out_indices=(0, 1, 2, 3))(image), maps(network, image))


@pytest.mark.parametrize('wrap', ['cmid', 'openmmlab'])
def test_swin_of_mmpretrain_and_of_official_cmid(tmp_path, randomised, built, same, wrap):
    """Official CMID's Swin has mmpretrain's names; segmentation models have a norm of each stage."""
    outputs = (3,) if wrap == 'cmid' else (0, 1, 2, 3)
    arch = dict(embed_dims=24, depths=[2, 2, 4, 2], num_heads=[1, 2, 4, 8])
    network = randomised(MODELS.build(dict(type='SwinTransformer', arch=arch, out_indices=outputs)))
    file = (
        dict(model=named(network.state_dict(), 'online_encoder.model.'))
        if wrap == 'cmid'
        else dict(state_dict=named(network.state_dict(), 'backbone.') | {'decode_head.conv_seg.bias': torch.ones(2)})
    )
    torch.save(file, tmp_path / 'source.pth')
    done = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth')
    assert done.source == wrap
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        same(built(tmp_path / 'ours.pth')(image), network(image))


def test_swin_windows_are_resized(tmp_path, built):
    network = TimmSwin(img_size=224, window_size=7, num_classes=5, **TINY_SWIN)
    for name, value in network.state_dict().items():
        if name.endswith('bias_table'):  # the bias of an offset is its number of columns
            value.copy_(torch.arange(-6.0, 7).repeat(13)[:, None].expand_as(value))
    torch.save(network.state_dict(), tmp_path / 'source.pth')
    done = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth', window_size=8)
    assert done.facts['backbone']['window_size'] == 8
    backbone = built(tmp_path / 'ours.pth')
    table = backbone.stages[0].blocks[0].attn.w_msa.relative_position_bias_table.detach().view(15, 15)
    columns = table[0]
    torch.testing.assert_close(table, columns.expand(15, 15), rtol=0, atol=1e-4)  # of rows it knows nothing, as before
    torch.testing.assert_close(columns, -columns.flip(0), rtol=0, atol=1e-4)
    torch.testing.assert_close(columns[[0, 7, 14]], torch.tensor([-6.0, 0, 6]), rtol=0, atol=1e-4)
    assert (columns.diff() > 0).all()
    assert backbone(torch.randn(1, 3, 256, 256))[0].shape == (1, 192, 8, 8)


def timm_vit():
    return timm.create_model('vit_tiny_patch16_224', img_size=64, num_classes=5)


def vit_layers(network, image):
    """Tokens after each block, the last normed."""
    x = network._pos_embed(network.patch_embed(image))
    layers = []
    for block in network.blocks:
        x = block(x)
        layers.append(x)
    return [*layers[:-1], network.norm(layers[-1])]


MAE_REST = {
    'mask_token': torch.zeros(1, 1, 8),
    'decoder_pos_embed': torch.zeros(1, 17, 8),
    'decoder_norm.bias': torch.ones(8),
}
VIT_FILES = dict(
    timm=lambda state: state,
    mae=lambda state: dict(
        model={k: v for k, v in state.items() if not k.startswith('head.')} | MAE_REST,
        optimizer=dict(state={}),
        epoch=1599,
        args=Namespace(model='mae_vit_base_patch16', mask_ratio=0.75),
    ),
    rvsa=lambda state: dict(
        model=named({k: v for k, v in state.items() if not k.startswith('head.')}, 'encoder.') | MAE_REST
    ),
)


@pytest.mark.parametrize('source', VIT_FILES)
def test_vit_of_every_source(tmp_path, randomised, built, same, source):
    network, image = randomised(timm_vit()), torch.randn(2, 3, 64, 64)
    torch.save(VIT_FILES[source](network.state_dict()), tmp_path / 'source.pth')
    done = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth', source)
    assert done.target == 'mmpretrain.VisionTransformer'
    if source != 'rvsa':  # a ViT under `encoder.` could be anybody's
        assert convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'auto.pth').source == source
    with torch.no_grad():
        ours = built(tmp_path / 'ours.pth', out_indices=list(range(12)), out_type='raw')(image)
        same(ours, vit_layers(network, image))


def test_vit_of_torchvision(tmp_path, randomised, built, same):
    network = randomised(
        torchvision.models.VisionTransformer(
            image_size=64, patch_size=16, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768, num_classes=5
        )
    )
    torch.save(network.state_dict(), tmp_path / 'source.pth')
    assert convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth').source == 'torchvision'
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        tokens = network._process_input(image)
        tokens = network.encoder(torch.cat([network.class_token.expand(2, -1, -1), tokens], dim=1))
        same(built(tmp_path / 'ours.pth', out_type='raw')(image), [tokens])


def test_position_embeddings_are_resized(tmp_path, randomised, built, same):
    network = randomised(timm_vit())
    torch.save(VIT_FILES['mae'](network.state_dict()), tmp_path / 'source.pth')
    done = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth', image_size=96)
    assert done.facts['backbone']['img_size'] == 96
    ours = load_checkpoint(tmp_path / 'ours.pth')['state_dict']['pos_embed']
    theirs = network.pos_embed.detach()
    grid = theirs[:, 1:].view(1, 4, 4, 192).permute(0, 3, 1, 2)
    resized = F.interpolate(grid, size=(6, 6), mode='bicubic', align_corners=False).flatten(2).transpose(1, 2)
    assert torch.equal(ours[:, :1], theirs[:, :1])  # the class token has no place
    torch.testing.assert_close(ours[:, 1:], resized)
    # mmpretrain does the same to an image of that size, so both give the same features of it.
    convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'as_it_is.pth')
    image = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        same(built(tmp_path / 'ours.pth')(image), built(tmp_path / 'as_it_is.pth')(image))
    with pytest.raises(ValueError, match='image_size=100 is no multiple of the patch size 16'):
        convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'none.pth', image_size=100)


class ViTAEBlock(nn.Module):
    """As published: separate biases of queries and values, tokens as a square map (class token aside)."""

    def __init__(self, dim=192, heads=3):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = nn.Module()
        self.attn.qkv, self.attn.proj = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim)
        self.attn.q_bias, self.attn.v_bias = nn.Parameter(torch.randn(dim)), nn.Parameter(torch.randn(dim))
        self.mlp = nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        convolution = partial(nn.Conv2d, kernel_size=1, groups=dim // 4)
        self.PCM = nn.Sequential(
            convolution(dim, 4 * dim), nn.BatchNorm2d(4 * dim), nn.SiLU(), convolution(4 * dim, dim)
        )

    def forward(self, x):
        n, length, dim = x.shape
        side = int((length - 1) ** 0.5)
        local = self.PCM(x[:, 1:].transpose(1, 2).reshape(n, dim, side, side)).flatten(2).transpose(1, 2)
        bias = torch.cat([self.attn.q_bias, torch.zeros(dim), self.attn.v_bias])
        q, k, v = (
            F.linear(self.norm1(x), self.attn.qkv.weight, bias)
            .view(n, length, 3, self.heads, -1)
            .permute(2, 0, 3, 1, 4)
        )
        attention = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
        x = x + self.attn.proj((attention @ v).transpose(1, 2).flatten(2))
        x[:, 1:] = x[:, 1:] + local
        return x + self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(x))))


@pytest.mark.parametrize('kernel', [1, 3])
@pytest.mark.parametrize('prefix', ['', 'encoder.'])
def test_vitae_of_rvsa(tmp_path, randomised, built, same, kernel, prefix):
    network = timm_vit()
    network.blocks = nn.Sequential(*[ViTAEBlock() for _ in range(12)])
    randomised(network)
    state = {name: value for name, value in network.state_dict().items() if not name.startswith('head.')}
    torch.save(dict(model=named(state, prefix) | MAE_REST), tmp_path / 'source.pth')
    done = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.pth', pcm_kernel=kernel)
    assert (done.source, done.target) == ('rvsa', 'mmpretrain.ViTAE')
    assert done.facts['backbone']['pcm_kernel'] == kernel
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        ours = built(tmp_path / 'ours.pth', out_indices=list(range(12)), out_type='raw')(image)
        same(ours, vit_layers(network, image))


def test_safetensors_of_timm_are_read(tmp_path, randomised, built, same):
    network, image = randomised(timm_vit()), torch.randn(1, 3, 64, 64)
    save_file(network.state_dict(), tmp_path / 'model.safetensors', metadata=dict(format='pt'))
    done = convert_checkpoint(tmp_path / 'model.safetensors', tmp_path / 'ours.pth', mean=[127.5] * 3, std=[127.5] * 3)
    assert (done.source, done.facts['normalisation']['mean']) == ('timm', [127.5] * 3)
    with torch.no_grad():
        same(built(tmp_path / 'ours.pth', out_type='raw')(image), [network.forward_features(image)])


@pytest.mark.slow
@pytest.mark.parametrize('library', ['timm', 'torchvision', 'cmid'])
def test_swin_b_loads_in_the_config_of_a_task(tmp_path, repo, randomised, same, library):
    image = torch.randn(1, 3, 224, 224)
    if library == 'timm':
        network = randomised(timm.create_model('swin_base_patch4_window7_224', num_classes=5))
        file, features = network.state_dict(), network.forward_features
    elif library == 'torchvision':
        network = randomised(torchvision.models.swin_b(num_classes=5))
        file, features = network.state_dict(), lambda x: network.norm(network.features(x))
    else:
        network = randomised(MODELS.build(dict(type='SwinTransformer', arch='base')))
        file = dict(model=named(network.state_dict(), 'online_encoder.model.'))
        features = lambda x: network(x)[0].permute(0, 2, 3, 1)  # noqa: E731
    torch.save(file, tmp_path / 'source.pth')
    done = convert_checkpoint(tmp_path / 'source.pth', tmp_path / 'ours.safetensors')
    assert (done.source, done.facts['backbone']['arch']) == (library, 'base')
    cfg = Config.fromfile(repo / 'configs/_base_/backbones/swin-b.py').backbone
    cfg.init_cfg.checkpoint = str(tmp_path / 'ours.safetensors')
    backbone = MODELS.build(cfg)
    backbone.init_weights()
    backbone.eval()
    with torch.no_grad():
        same([backbone(image)[-1]], [features(image).permute(0, 3, 1, 2)])
