"""Fused windowed attention computes what mmpretrain's computes."""

import pytest
import torch
from mmpretrain.models.utils.attention import WindowMSA

from cmid_mm.models.backbones.window_attention import FusedWindowMSA


@pytest.mark.parametrize('shifted', [False, True])
def test_result_and_gradients_are_those_of_mmpretrain(shifted):
    torch.manual_seed(0)
    plain, fused = (kind(24, (3, 3), 4).double() for kind in (WindowMSA, FusedWindowMSA))
    plain.init_weights()
    fused.load_state_dict(plain.state_dict())
    windows = torch.randn(6, 9, 24, dtype=torch.double)
    mask = torch.where(torch.rand(3, 9, 9) < 0.3, -100.0, 0.0) if shifted else None
    weight = torch.randn(6, 9, 24, dtype=torch.double)
    outputs = [network(windows, mask) for network in (plain, fused)]
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-10, atol=1e-12)
    for output in outputs:
        (output * weight).sum().backward()
    for (name, own), other in zip(fused.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-9, atol=1e-12, msg=name)
