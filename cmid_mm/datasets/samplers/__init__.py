"""The order in which samples are drawn."""

from .epoch_sampler import EpochSampler, GlobalBatchSampler

__all__ = ['EpochSampler', 'GlobalBatchSampler']
