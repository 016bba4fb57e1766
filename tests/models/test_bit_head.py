"""BIT: what the order of the dates can and cannot change, sizes, and gradients."""

import pytest
import torch
from mmengine.registry import init_default_scope

import cmid_mm.with_mmseg  # noqa: F401
from cmid_mm.models.change_detectors import BITHead, KeepDates
from cmid_mm.models.change_detectors.bit_head import PreNormLayer, SemanticTokenizer


@pytest.fixture
def head(_registry_scope) -> BITHead:
    """A head for maps of 12 channels, as it starts."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    return BITHead(12, num_classes=2).eval()


def maps_of(first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (None, None, *KeepDates()([first], [second]))


def two_dates(height: int = 4, width: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    first, second = torch.randn(2, 3, 12, height, width, generator=generator)
    return first, second


def make_symmetric(head: BITHead) -> None:
    half = len(head.positions) // 2
    head.positions.data[half:] = head.positions.data[:half]


def test_the_size_is_that_of_the_spec(head: BITHead) -> None:
    assert sum(layer.query.out_features for layer in head.encoder) == 8 * 64
    assert (len(head.encoder), len(head.decoder), head.positions.shape) == (1, 8, (8, 32))
    assert head.tokenizer.attention.out_channels == 4
    assert head.encoder[0].mlp[1].out_features == 64
    assert head.reduce.weight.shape == (32, 12, 3, 3)


def test_without_positions_the_order_of_dates_makes_no_difference(head: BITHead) -> None:
    first, second = two_dates()
    make_symmetric(head)
    torch.testing.assert_close(head(maps_of(second, first)), head(maps_of(first, second)), rtol=1e-4, atol=1e-5)


def test_positions_alone_tell_the_dates_apart(head: BITHead) -> None:
    first, second = two_dates()
    logits = head(maps_of(first, second))
    swapped = head(maps_of(second, first))
    assert (swapped - logits).abs().max() > 1e-3
    head.positions.data = head.positions.data.roll(4, dims=0)
    torch.testing.assert_close(head(maps_of(second, first)), logits, rtol=1e-4, atol=1e-5)


def test_equal_dates_differ_by_nothing_but_their_positions(head: BITHead) -> None:
    first, second = two_dates()
    assert head.difference(maps_of(first, first)).max() > 1e-3
    make_symmetric(head)
    torch.testing.assert_close(head.difference(maps_of(first, first)), torch.zeros(3, 32, 8, 12), rtol=0, atol=1e-5)
    assert head.difference(maps_of(first, second)).max() > 1e-2


@pytest.mark.parametrize('size', [(4, 4), (3, 7), (1, 1)])
def test_logits_are_sixteen_times_the_map(head: BITHead, size: tuple[int, int]) -> None:
    first, second = two_dates(*size)
    assert head(maps_of(first, second)).shape == (3, 2, 16 * size[0], 16 * size[1])


@pytest.mark.parametrize('stride', [4, 8, 32])
def test_maps_of_other_strides_give_logits_of_the_size_of_the_image(stride: int) -> None:
    logits = BITHead(12, num_classes=2, stride=stride)(maps_of(*two_dates(3, 5)))
    assert logits.shape == (3, 2, 3 * stride, 5 * stride)
    with pytest.raises(ValueError, match=rf'stride={stride + 1} is not 4, 8, 16 or 32'):
        BITHead(12, num_classes=2, stride=stride + 1)


def test_samples_of_a_batch_do_not_mix(head: BITHead) -> None:
    first, second = two_dates()
    together = head(maps_of(first, second))
    for index in range(3):
        alone = head(maps_of(first[index : index + 1], second[index : index + 1]))
        torch.testing.assert_close(together[index : index + 1], alone, rtol=1e-4, atol=1e-5)


def test_every_parameter_and_both_dates_get_a_gradient(head: BITHead) -> None:
    first, second = (date.requires_grad_() for date in two_dates())
    head.train()(maps_of(first, second)).square().sum().backward()
    for name, tensor in [('first', first), ('second', second), *head.named_parameters()]:
        assert tensor.grad is not None, f'{name} gets no gradient'
        assert tensor.grad.abs().max() > 0, f'{name} gets a gradient of zero'


def test_tokens_are_weighted_means_of_pixels() -> None:
    tokenizer = SemanticTokenizer(5, 3)
    constant = torch.arange(5.0).reshape(1, 5, 1, 1).expand(2, 5, 6, 7)
    torch.testing.assert_close(tokenizer(constant), torch.arange(5.0).expand(2, 3, 5))
    # A map that is much higher at one pixel makes that pixel the token.
    pixels = torch.rand(1, 5, 6, 7)
    tokenizer.attention.weight.data.zero_()
    tokenizer.attention.weight.data[0, 0] = 1000.0
    place = pixels[0, 0].argmax()
    torch.testing.assert_close(tokenizer(pixels)[0, 0], pixels[0].flatten(1)[:, place])


def test_a_layer_is_attention_and_mlp_written_out() -> None:
    """Against the sums of Chen et al., equations 3 to 5, head by head."""
    layer = PreNormLayer(6, num_heads=2, head_channels=3, mlp_channels=4)
    queries, memory = torch.randn(1, 5, 6), torch.randn(1, 4, 6)
    norm_queries, norm_memory = layer.attention_norm(queries)[0], layer.attention_norm(memory)[0]
    keys, values = layer.key_value.weight.split(6)
    heads = []
    for rows in (slice(0, 3), slice(3, 6)):
        query = norm_queries @ layer.query.weight[rows].T
        weights = (query @ (norm_memory @ keys[rows].T).T / 3**0.5).softmax(-1)
        heads.append(weights @ (norm_memory @ values[rows].T))
    attended = queries[0] + layer.project(torch.cat(heads, dim=-1))
    torch.testing.assert_close(layer(queries, memory)[0], attended + layer.mlp(attended))


def test_a_map_without_dates_is_refused(head: BITHead) -> None:
    with pytest.raises(ValueError, match=r'both dates.*KeepDates'):
        head((None, None, torch.zeros(1, 12, 4, 4)))
