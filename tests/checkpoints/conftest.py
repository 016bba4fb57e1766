"""What the tests of conversion share."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from cmid_mm.checkpoints import load_checkpoint


@pytest.fixture(scope='session')
def randomised() -> Callable[[nn.Module], nn.Module]:
    """Move every parameter and statistic of a network away from its start, so that a mix-up shows; evaluation mode."""

    def _randomised(network: nn.Module) -> nn.Module:
        for name, value in network.state_dict().items():
            if not value.is_floating_point():
                continue
            if name.endswith('running_var'):
                value.uniform_(0.5, 1.5)
            elif name.endswith(('pos_embed', 'pos_embedding', 'token')):
                value.normal_()
            elif name.endswith(('bias', 'bias_table')) or value.dim() == 1:
                value.add_(0.1 * torch.randn(value.shape))
        network.eval()
        return network

    return _randomised


@pytest.fixture(scope='session')
def built() -> Callable[..., nn.Module]:
    """Build the backbone of a file as a task does: by the config in the file, with init_cfg."""

    def _built(file: Path, **settings) -> nn.Module:
        cfg = load_checkpoint(file)['meta']['backbone']
        init = dict(type='Pretrained', checkpoint=str(file))
        if cfg['type'].endswith('SwinTransformer'):
            init['untrained'] = ('norm0', 'norm1', 'norm2')
        backbone = MODELS.build({**cfg, **settings, 'init_cfg': init})
        backbone.init_weights()
        backbone.eval()  # whose return value mmpretrain's backbones forget
        return backbone

    return _built


@pytest.fixture(scope='session')
def same() -> Callable[[Sequence[Tensor], Sequence[Tensor]], None]:
    """Assert that all features agree to 1e-5 of the largest."""

    def _same(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> None:
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert one.shape == other.shape
            assert (one - other).abs().max() <= 1e-5 * max(1.0, float(other.abs().max()))

    return _same
