"""Backbones for pretraining."""

from .masked import MaskedBackbone, MaskedConvNeXt, MaskedResNet, MaskedSwinTransformer

__all__ = ['MaskedBackbone', 'MaskedConvNeXt', 'MaskedResNet', 'MaskedSwinTransformer']
