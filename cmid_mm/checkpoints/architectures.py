"""Which backbone a state dict under mmpretrain's names belongs to, told from its keys and shapes."""

import re
from collections.abc import Callable, Iterable

from mmpretrain.models.backbones import ResNet, SwinTransformer, VisionTransformer
from mmpretrain.models.backbones.resnet import get_expansion

from .loading import CheckpointError
from .tensor_rules import State


def resnet_config(state: State) -> dict:
    """The smallest ResNet that has all blocks found; a weight that is not there is then missed by name.

    Raises:
        CheckpointError: If no ResNet of mmpretrain has so many blocks.
    """
    blocks = [_count(state, rf'^layer{stage}\.(\d+)\.') for stage in (1, 2, 3, 4)]
    expansion = 4 if any(re.search(r'^layer\d\.\d+\.conv3\.', name) for name in state) else 1
    depths = [
        depth
        for depth, (block, has) in ResNet.arch_settings.items()
        if get_expansion(block) == expansion and all(n <= m for n, m in zip(blocks, has, strict=True))
    ]
    if not depths:
        raise CheckpointError(f'no ResNet of mmpretrain has {blocks} blocks in its stages; convert another file')
    cfg = dict(type='mmpretrain.ResNet', depth=min(depths))
    if (stem := state.get('conv1.weight')) is not None and stem.dim() == 4:
        cfg |= _unless(in_channels=(stem.shape[1], 3))
    base = _width(state, r'layer1\.\d+\.(conv|bn)[12]\.', 64)
    # A stem that is lost whole shows in what layer 1 takes, and its blocks have a projection where that is not theirs.
    enters = _width(state, r'layer1\.0\.(conv1|downsample\.0)\.weight', base, axis=1)
    return cfg | _unless(stem_channels=(_width(state, r'(conv|bn)1\.', enters), 64), base_channels=(base, 64))


def swin_config(state: State) -> dict:
    """The smallest Swin Transformer that has all blocks found, with the window and the output norms that are there.

    Of widths and heads that no named size has, the depth is the one found; blocks come in pairs, so of an odd number
    the last is taken for missing.
    """
    stages = _count(state, r'^stages\.(\d+)\.')
    depths = [_count(state, rf'^stages\.{i}\.blocks\.(\d+)\.') for i in range(stages)]
    patches = state.get('patch_embed.projection.weight')
    width, in_channels, patch_size = (96, 3, 4) if patches is None else patches.shape[:3]
    heads, window = [max(width * 2**i // 32, 1) for i in range(stages)], 7
    for name, value in state.items():
        if match := re.search(r'^stages\.(\d+)\..*relative_position_bias_table$', name):
            heads[int(match[1])] = value.shape[1]
            window = (round(value.shape[0] ** 0.5) + 1) // 2
    sizes = {
        sum(zoo['depths']): name
        for name, zoo in SwinTransformer.arch_zoo.items()
        if (zoo['embed_dims'], zoo['num_heads']) == (width, heads)
        and len(name) > 1  # the others are abbreviations
        and all(n <= m for n, m in zip(depths, zoo['depths'], strict=True))
    }
    custom = dict(embed_dims=width, depths=[n + n % 2 for n in depths], num_heads=heads)
    arch = sizes[min(sizes)] if sizes else custom
    outputs = [i for i in range(stages) if f'norm{i}.weight' in state]
    cfg = dict(type='mmpretrain.SwinTransformer', arch=arch)
    if outputs not in ([], [stages - 1]):
        cfg |= dict(out_indices=outputs)
    return cfg | _unless(in_channels=(in_channels, 3), patch_size=(patch_size, 4), window_size=(window, 7))


def vit_config(state: State) -> dict:
    """The Vision Transformer of this width and depth; the number of heads is known for the named sizes alone.

    Raises:
        CheckpointError: If there is no such size, or the position embedding is of no square grid.
    """
    patches, hidden = state.get('patch_embed.projection.weight'), state.get('layers.0.ffn.layers.0.0.weight')
    if patches is None or hidden is None:
        missing = 'patch_embed.projection.weight' if patches is None else 'layers.0.ffn.layers.0.0.weight'
        raise CheckpointError(f'{missing} is missing, as mmpretrain calls it; convert a whole file')
    width, in_channels, patch_size = patches.shape[:3]
    depth = _count(state, r'^layers\.(\d+)\.')
    sizes = {
        zoo['num_layers']: name
        for name, zoo in VisionTransformer.arch_zoo.items()
        if (zoo['embed_dims'], zoo['feedforward_channels']) == (width, hidden.shape[0]) and zoo['num_layers'] >= depth
    }
    if not sizes:
        raise CheckpointError(
            f'mmpretrain knows no Vision Transformer of width {width}, MLP {hidden.shape[0]} and {depth} layers, and '
            'weights do not tell the number of heads; convert another size'
        )
    cfg = dict(type='mmpretrain.VisionTransformer', arch=sizes[min(sizes)])
    has_class_token = 'cls_token' in state
    if not has_class_token:
        cfg |= dict(with_cls_token=False, out_type='featmap')
    if (positions := state.get('pos_embed')) is not None:
        cells = positions.shape[1] - has_class_token
        side = round(cells**0.5)
        if side**2 != cells:
            raise CheckpointError(f'pos_embed has {cells} cells, which make no square; convert a file of square images')
        cfg |= _unless(img_size=(side * patch_size, 224))
    return cfg | _unless(
        in_channels=(in_channels, 3),
        patch_size=(patch_size, 16),
        final_norm=(any(name.startswith('ln1.') for name in state), True),
        qkv_bias=(any(name.endswith('.qkv.bias') for name in state), True),
    )


def vitae_config(state: State) -> dict:
    """:func:`vit_config` with parallel convolutions.

    Raises:
        CheckpointError: As of :func:`vit_config`.
    """
    kernels = {value.shape[-1] for name, value in state.items() if '.pcm.' in name and value.dim() == 4}
    return vit_config(state) | dict(type='mmpretrain.ViTAE', pcm_kernel=max(kernels, default=3))


FAMILIES: dict[str, Callable[[State], dict]] = dict(
    resnet=resnet_config, swin=swin_config, vit=vit_config, vitae=vitae_config
)


def _count(names: Iterable[str], pattern: str) -> int:
    """One more than the largest number that the pattern's group finds."""
    found = [int(match[1]) for name in names if (match := re.search(pattern, name))]
    return max(found, default=-1) + 1


def _width(state: State, layers: str, default: int, axis: int = 0) -> int:
    """Output channels, or with axis 1 input channels, of the first weight whose name begins as the pattern says."""
    values = (value for name, value in state.items() if re.match(layers, name) and value.dim() > axis)
    return next((value.shape[axis] for value in values), default)


def _unless(**settings: tuple) -> dict:
    """Settings, as ``name=(value, default)``, that are not the default."""
    return {name: value for name, (value, default) in settings.items() if value != default}
