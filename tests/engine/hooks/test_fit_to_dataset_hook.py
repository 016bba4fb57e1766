"""What mmpretrain's algorithms take from ImageNet's length is fitted to the data set, or refused."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from cmid_mm.engine.hooks import SwAVQueueHook, longest_queue


@pytest.fixture
def start(tiny_rival):
    """Train a very small ResNet-18."""

    def _start(method: str, epochs: int = 1, hooks: list[dict] = (), **changes) -> Runner:
        cfg = tiny_rival(f'{method}_r18', epochs, param_scheduler=[], **changes)
        cfg.custom_hooks.extend(hooks)
        runner = Runner.from_cfg(cfg)
        runner.train()
        return runner

    return _start


@given(images=st.integers(1, 10**6), batch=st.integers(1, 4096))
def test_the_longest_queue_holds_whole_batches_and_no_image_twice(images, batch):
    length = longest_queue(images, batch)
    assert length % batch == 0
    assert length <= images < length + batch


@pytest.mark.parametrize('method', ['mocov2', 'densecl'])
@pytest.mark.parametrize('length', [28, 22], ids=['longer-than-the-data-set', 'no-whole-batches'])
def test_a_queue_of_keys_that_does_not_fit_is_refused(method, length, start):
    with pytest.raises(ValueError, match=rf'model\.queue_len={length} does not fit 24 images in batches of 4 .* 24 or'):
        start(method, **{'model.queue_len': length})


@pytest.mark.slow
@pytest.mark.parametrize('length', [28, 22])
def test_a_queue_of_embeddings_that_does_not_fit_is_refused(length, start):
    with pytest.raises(ValueError, match=rf'queue_length of SwAVQueueHook={length} does not fit 24 images'):
        start('swav', **{'custom_hooks.3.queue_length': length})


def test_a_queue_of_all_images_trains(start):
    model = start('mocov2', **{'model.queue_len': 24}).model
    # Every image entered once, and the pointer is back at the start.
    assert int(model.queue_ptr) == 0
    torch.testing.assert_close(model.queue.norm(dim=0), torch.ones(24))


@pytest.mark.slow
@pytest.mark.parametrize(('epochs', 'expected'), [(1, 0), (20, 4)])
def test_the_dense_loss_begins_within_the_run(epochs, expected, start):
    """After 1000 iterations, as on ImageNet, these runs would be over."""
    runner = start('densecl', epochs, **{'model.queue_len': 8, 'train_dataloader.dataset.indices': 8})
    dense = np.array(runner.message_hub.get_scalar('train/loss_dense').data[0])
    assert np.count_nonzero(dense == 0) == expected
    assert (dense[expected:] > 0).all()


@HOOKS.register_module(force=True)
class RecordPrototypes(Hook):
    """Keep the prototypes after each step, as directions, and the length of the queue."""

    def before_train(self, runner):
        self.weights, self.queues = [], []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        loss = runner.model.head.loss_module
        self.weights.append(torch.nn.functional.normalize(loss.prototypes.weight.detach(), dim=1))
        self.queues.append(0 if loss.queue is None else loss.queue.shape[1])


@pytest.mark.slow
def test_prototypes_are_frozen_for_the_first_epoch_and_the_queue_begins_after_it(start):
    runner = start('swav', 2, hooks=[dict(type='RecordPrototypes')], **{'custom_hooks.3.queue_length': 8})
    record = next(hook for hook in runner.hooks if isinstance(hook, RecordPrototypes))
    moved = [not torch.equal(after, before) for before, after in pairwise(record.weights)]
    # 6 steps an epoch: the sixth leaves the prototypes as the first found them, the seventh moves them.
    assert moved == [False] * 5 + [True] * 6
    assert record.queues == [0] * 6 + [8] * 6


@pytest.mark.slow
def test_the_queue_begins_after_the_share_of_the_run_that_it_has_on_imagenet(start):
    runner = start('swav', 20, **{'custom_hooks.3.queue_length': 4, 'train_dataloader.dataset.indices': 4})
    hook = next(hook for hook in runner.hooks if isinstance(hook, SwAVQueueHook))
    assert hook.epoch_queue_starts == 2  # 15 of 200
    assert hook.batch_size == 4
