"""Optimizers that mmengine does not register by itself, and how parameters are grouped for them."""

import mmpretrain.engine.optimizers  # noqa: F401  registers its Adan, before timm's takes the name
from mmengine.registry import OPTIMIZERS
from mmpretrain.registry import OPTIMIZERS as MMPRETRAIN_OPTIMIZERS
from timm.optim import Adan

from .cpu_amp import CPUAmpOptimWrapper, cpu_multiplies_bfloat16
from .decay_groups import DecayGroupsConstructor

# In mmpretrain's scope the name would mean its own Adan: the same algorithm, with five temporary copies of all weights
# and a wait for the device in each step. force: a reload, or another plugin that does the same, must not stop here.
for registry in (OPTIMIZERS, MMPRETRAIN_OPTIMIZERS):
    registry.register_module(module=Adan, force=True)

__all__ = ['Adan', 'CPUAmpOptimWrapper', 'DecayGroupsConstructor', 'cpu_multiplies_bfloat16']
