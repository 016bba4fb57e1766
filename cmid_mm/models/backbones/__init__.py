"""Backbones for pretraining."""

from .masked import MaskedBackbone, MaskedConvNeXt, MaskedResNet, MaskedSwinTransformer
from .vitae import ViTAE

__all__ = ['MaskedBackbone', 'MaskedConvNeXt', 'MaskedResNet', 'MaskedSwinTransformer', 'ViTAE']
