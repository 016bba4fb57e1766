"""Losses of pretraining."""

from .contrast import InfoNCELoss
from .distillation import CenteredDistillationLoss
from .reconstruction import FocalFrequencyLoss, FocalL1Loss, focal_l1

__all__ = [
    'CenteredDistillationLoss',
    'FocalFrequencyLoss',
    'FocalL1Loss',
    'InfoNCELoss',
    'focal_l1',
]
