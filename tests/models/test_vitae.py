"""ViTAE is a Vision Transformer with convolutions beside its attention, on maps of any shape."""

import pytest
import torch
from mmpretrain.registry import MODELS

ARCH = dict(embed_dims=32, num_layers=3, num_heads=2, feedforward_channels=64)


def build(kind='ViTAE', **settings):
    model = MODELS.build(dict(type=kind, arch=ARCH, img_size=64, **settings))
    model.eval()
    return model


def zero(model):
    for layer in model.layers:
        torch.nn.init.zeros_(layer.pcm[3].weight)
        torch.nn.init.zeros_(layer.pcm[3].bias)


@pytest.mark.parametrize('with_cls_token', [True, False])
def test_without_its_convolutions_it_is_the_plain_transformer(with_cls_token):
    settings = dict(with_cls_token=with_cls_token, out_type='raw', out_indices=[0, 2])
    ours, plain = build(**settings), build('VisionTransformer', **settings)
    zero(ours)
    missing, unexpected = plain.load_state_dict(ours.state_dict(), strict=False)
    assert not missing
    assert all('.pcm.' in name for name in unexpected)
    image = torch.randn(2, 3, 48, 80)  # neither square nor of the size that it was built for
    for one, other in zip(ours(image), plain(image), strict=True):
        torch.testing.assert_close(one, other)


def test_a_convolution_reaches_the_neighbours_of_a_cell_and_no_more():
    model = build(pcm_kernel=3, with_cls_token=False, out_type='featmap', final_norm=False)
    for layer in model.layers:  # no attention: what a cell sees of others comes by convolutions
        torch.nn.init.zeros_(layer.attn.proj.weight)
    image = torch.randn(1, 3, 160, 160)
    changed = image.clone()
    changed[..., 80:96, :16] += 1  # cell (5, 0) of 10 x 10
    seen = (model(image)[0] != model(changed)[0]).any(dim=1)[0]
    reach = 2 * len(model.layers)  # two convolutions a block
    assert seen[5].tolist() == [column <= reach for column in range(10)]
    assert seen[:, 0].all()
    alone = build(pcm_kernel=1, with_cls_token=False, out_type='featmap', final_norm=False)
    for layer in alone.layers:
        torch.nn.init.zeros_(layer.attn.proj.weight)
    seen = (alone(image)[0] != alone(changed)[0]).any(dim=1)[0]
    assert seen.nonzero().tolist() == [[5, 0]]


def test_it_trains_and_drops_paths():
    model = build(drop_path_rate=0.5, out_type='featmap')
    model.train()
    model(torch.randn(4, 3, 64, 64))[0].mean().backward()
    assert all(layer.pcm[0].weight.grad is not None for layer in model.layers)
    rates = [layer.pcm_drop.drop_prob for layer in model.layers]
    assert rates == [0, 0.25, 0.5]


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match='pcm_kernel=2 is no odd number; use 1 or 3'):
        build(pcm_kernel=2)
