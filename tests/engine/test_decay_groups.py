"""Biases and norm weights are exempt from decay, and teachers are in no group."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import MODELS


def wrapper(cfg, **kwargs):
    model = MODELS.build(cfg.model)
    return model, build_optim_wrapper(model, dict(cfg.optim_wrapper, **kwargs))


def test_groups_hold_every_student_parameter_once(tiny_config):
    model, optim_wrapper = wrapper(tiny_config)
    decay, no_decay = optim_wrapper.optimizer.param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed, exempt = ({names[id(p)] for p in group['params']} for group in (decay, no_decay))

    assert (decay['weight_decay'], no_decay['weight_decay']) == (0.02, 0.0)
    assert decayed | exempt == {name for name, p in model.named_parameters() if p.requires_grad}
    assert not decayed & exempt
    assert not any('teacher' in name for name in decayed | exempt)
    assert {'backbone.bn1.weight', 'backbone.bn1.bias', 'local_head.projector.mlp.1.weight'} <= exempt
    assert {'backbone.conv1.weight', 'backbone.mask_token', 'local_head.projector.prototypes.weight'} <= decayed


def test_decay_moves_only_decayed_parameters(tiny_config):
    model, optim_wrapper = wrapper(tiny_config)
    model.init_weights()
    before = {name: p.clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optim_wrapper.step()
    assert torch.equal(model.backbone.bn1.weight, before['backbone.bn1.weight'])
    factor = 1 + tiny_config.optim_wrapper.optimizer.lr * 0.02
    torch.testing.assert_close(model.backbone.conv1.weight, before['backbone.conv1.weight'] / factor)


def test_paramwise_cfg_is_refused(tiny_config):
    with pytest.raises(ValueError, match='has no effect with DecayGroupsConstructor'):
        wrapper(tiny_config, paramwise_cfg=dict(bias_lr_mult=2.0))
