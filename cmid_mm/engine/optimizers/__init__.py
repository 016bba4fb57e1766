"""Optimizers that mmengine does not register by itself."""

from mmengine.registry import OPTIMIZERS
from timm.optim import Adan

# force: reloading the package, or another plugin that registers the same class, must not stop an import.
OPTIMIZERS.register_module(module=Adan, force=True)

__all__ = ['Adan']
