"""Folders, lists and scenes -> samples."""

from . import transforms
from .samplers import EpochSampler, GlobalBatchSampler

__all__ = ['EpochSampler', 'GlobalBatchSampler', 'transforms']
