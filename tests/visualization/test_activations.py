"""Activation and attention maps: what they compute, of real networks too."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmpretrain.models.backbones import ResNet, SwinTransformer
from mmpretrain.models.utils import ShiftWindowMSA
from PIL import Image

from cmid_mm.checkpoints import Network, load_backbone
from cmid_mm.evaluation import extract_maps
from cmid_mm.visualization.activations import (
    attention_of_stages,
    cell_norms,
    draw_activations,
    principal_colours,
    received_attention,
)
from cmid_mm.visualization.command import maps_of


def swin() -> SwinTransformer:
    """A small Swin whose windows fit 96 pixels, as ``swin-t_96.py`` has them."""
    torch.manual_seed(0)
    arch = dict(embed_dims=8, depths=[2, 2, 4, 2], num_heads=[1, 2, 2, 2])
    stages = [dict(block_cfgs=dict(window_size=window)) for window in (6, 6, 6, 3)]
    network = SwinTransformer(arch, img_size=96, stage_cfgs=stages)
    network.init_weights()
    network.eval()
    return network


def test_alike_cells_have_one_colour_in_all_images():
    kinds = np.random.default_rng(0).normal(size=(4, 16))
    places = np.random.default_rng(1).integers(0, 4, (3, 5, 6))
    colours = principal_colours(kinds[places].transpose(0, 3, 1, 2))
    assert colours.shape == (3, 5, 6, 3)
    assert colours.min() >= 0
    assert colours.max() <= 1
    shown = [np.unique(colours[places == kind].round(6), axis=0) for kind in range(4)]
    assert [len(each) for each in shown] == [1] * 4
    distance = np.linalg.norm(np.concatenate(shown)[:, None] - np.concatenate(shown), axis=-1)
    assert distance[~np.eye(4, dtype=bool)].min() > 0.3
    with pytest.raises(ValueError, match='1 cells of 16 channels have no three components'):
        principal_colours(np.ones((1, 16, 1, 1)))


def test_norms_are_those_of_cells():
    maps = np.zeros((1, 4, 2, 2))
    maps[0, :, 1, 0] = 2
    np.testing.assert_allclose(cell_norms(maps), [[[0, 0], [4, 0]]])


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    window=st.integers(2, 4),
    token=st.integers(0, 3),
    heads=st.integers(1, 3),
)
def test_attention_is_put_where_the_token_that_receives_it_lies(size, window, token, heads):
    rows, columns = (-(-side // window) for side in size)
    attention = torch.zeros(2 * rows * columns, heads, window**2, window**2)
    attention[..., token] = 1  # every query of every window looks at this token alone
    received = received_attention(attention, size, window).numpy()
    expected = np.zeros((2, rows * window, columns * window))
    expected[:, token // window :: window, token % window :: window] = window**2
    np.testing.assert_allclose(received, expected[:, : size[0], : size[1]])


def test_a_swin_attends_in_four_stages_and_is_left_as_it_was():
    network, images = swin(), [np.random.default_rng(i).integers(0, 256, (96, 96, 3), np.uint8) for i in range(3)]
    plain = extract_maps(network, images, size=96)
    with attention_of_stages(network) as stages:
        recorded = extract_maps(network, images, size=96, batch_size=2)
    np.testing.assert_allclose(recorded, plain, atol=1e-5)
    assert [stage.shape for stage in stages] == [(3, 24, 24), (3, 12, 12), (3, 6, 6), (3, 3, 3)]
    for stage in stages:
        np.testing.assert_allclose(stage.mean(axis=(1, 2)), 1, atol=1e-4)
        assert stage.std() > 1e-4
    # By hand, the last stage: one window of 9 tokens.
    (block,) = [m for m in network.stages[3].modules() if isinstance(m, ShiftWindowMSA) and not m.shift_size]
    caught = []
    block.w_msa.register_forward_pre_hook(lambda module, args: caught.append(args[0]))
    extract_maps(network, images, size=96)
    msa, tokens = block.w_msa, caught[0]
    query, key, _ = msa.qkv(tokens).view(3, 9, 3, msa.num_heads, -1).permute(2, 0, 3, 1, 4)
    bias = msa.relative_position_bias_table[msa.relative_position_index.flatten()].view(9, 9, -1).permute(2, 0, 1)
    attention = (msa.scale * query @ key.transpose(-1, -2) + bias).softmax(-1).mean(dim=(1, 2)) * 9
    np.testing.assert_allclose(stages[3].reshape(3, 9), attention.detach(), atol=1e-4)
    assert not any(module._forward_hooks for module in network.modules() if isinstance(module, torch.nn.Softmax))


def test_a_network_without_windows_has_no_attention(tmp_path):
    network = ResNet(18, stem_channels=8, base_channels=8)
    network.eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    with attention_of_stages(network) as stages:
        maps = extract_maps(network, images, size=96)
    assert stages == []
    for attention in ([], [np.random.default_rng(0).random((2, 6, 6))] * 4):
        colours = principal_colours(maps)
        draw_activations(images, colours, cell_norms(maps), attention, ['a', 'b $'], tmp_path / 'a.png')
        width = Image.open(tmp_path / 'a.png').width
        assert width == pytest.approx(2 * 110 * (3 + len(attention)), abs=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('config', 'cells'), [('mae/mae_vit-t', 24), ('spark/spark_r18', 6), ('simmim/simmim_swin-t', 6)]
)
def test_backbones_of_other_methods_give_maps_at_twice_the_size(repo, write_checkpoint, config, cells):
    network = load_backbone(write_checkpoint(Config.fromfile(repo / f'configs/{config}_ucmerced.py')))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 192, 192, 3), dtype=np.uint8)
    with attention_of_stages(network.module) as stages:
        maps = maps_of(network, pixels, 'cpu')
    assert maps.shape[2:] == (cells, cells)
    assert len(stages) == (4 if 'swin' in config else 0)


def test_images_that_a_network_does_not_take_are_refused():
    network = Network(swin(), (0, 0, 0), (1, 1, 1), False, 96, {})
    with pytest.raises(ValueError, match='does not take images of 32 pixels, give another --size'):
        maps_of(network, np.zeros((1, 32, 32, 3), np.uint8), 'cpu')
