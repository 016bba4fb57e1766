"""What tests of data sets share."""

import random
from collections.abc import Callable

import pytest
import torch
from mmengine.runner import Runner


def two_epochs(dataset: dict, **kwargs) -> list[tuple[list[str], torch.Tensor]]:
    """Paths and views of each batch of two epochs, as a run loads them."""
    loader = Runner.build_dataloader(
        {
            'batch_size': 4,
            'sampler': {'type': 'EpochSampler'},
            'batch_sampler': {'type': 'GlobalBatchSampler'},
            'dataset': {'type': 'UnlabelledImages', **dataset},
            **kwargs,
        },
        seed=5,
    )
    loader.dataset[0]  # opens what it reads from in this process, before there are workers
    torch.manual_seed(random.randrange(99))
    seen = []
    for epoch in range(2):
        loader.batch_sampler.sampler.set_epoch(epoch)
        for batch in loader:
            paths = [sample.img_path for sample in batch['data_samples']]
            assert not any('unreadable' in sample.metainfo for sample in batch['data_samples'])
            seen.append((paths, torch.stack(batch['inputs'])))
    return seen


@pytest.fixture
def same_by_workers() -> Callable[[dict, str], list[tuple[list[str], torch.Tensor]]]:
    """Assert that two workers load what none do; returns the batches."""

    def check(dataset: dict, start: str) -> list[tuple[list[str], torch.Tensor]]:
        here = two_epochs(dataset, num_workers=0)
        there = two_epochs(dataset, num_workers=2, persistent_workers=True, multiprocessing_context=start)
        for (paths, images), (other_paths, other_images) in zip(here, there, strict=True):
            assert paths == other_paths
            assert torch.equal(images, other_images)
        return here

    return check
