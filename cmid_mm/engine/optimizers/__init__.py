"""Optimizers that mmengine does not register by itself, and how parameters are grouped for them."""

from mmengine.registry import OPTIMIZERS
from timm.optim import Adan

from .cpu_amp import CPUAmpOptimWrapper, cpu_multiplies_bfloat16
from .decay_groups import DecayGroupsConstructor

# force: reloading the package, or another plugin that registers the same class, must not stop an import.
OPTIMIZERS.register_module(module=Adan, force=True)

__all__ = ['Adan', 'CPUAmpOptimWrapper', 'DecayGroupsConstructor', 'cpu_multiplies_bfloat16']
