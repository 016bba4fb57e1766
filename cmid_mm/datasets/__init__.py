"""Folders, lists and scenes -> samples."""

from . import transforms
from .decoding import BandError, UnreadableImageError
from .samplers import EpochSampler, GlobalBatchSampler
from .seeding import SeededIndex, seeded
from .unlabelled import UnlabelledImages

__all__ = [
    'BandError',
    'EpochSampler',
    'GlobalBatchSampler',
    'SeededIndex',
    'UnlabelledImages',
    'UnreadableImageError',
    'seeded',
    'transforms',
]
