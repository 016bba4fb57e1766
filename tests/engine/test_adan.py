"""Adan in a config is timm's, whatever the scope: mmpretrain's own copies all weights five times in each step."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from timm.optim import Adan

import cmid_mm  # noqa: F401  registers it


@pytest.mark.parametrize('scope', ['mmengine', 'mmpretrain', 'mmseg'])
def test_configs_of_every_scope_get_it(scope):
    with DefaultScope.overwrite_default_scope(scope):
        wrapper = build_optim_wrapper(
            torch.nn.Linear(2, 2), dict(type='OptimWrapper', optimizer=dict(type='Adan', lr=0.1))
        )
    assert type(wrapper.optimizer) is Adan
