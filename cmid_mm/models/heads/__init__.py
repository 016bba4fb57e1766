"""Heads: each owns its projector, its loss and its state."""

from .global_head import GlobalContrastHead
from .local_head import LocalDistillationHead
from .reconstruction_head import ReconstructionHead

__all__ = ['GlobalContrastHead', 'LocalDistillationHead', 'ReconstructionHead']
