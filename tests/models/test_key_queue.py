"""The queue is first in, first out, whatever the sizes."""

from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cmid_mm.models.utils import KeyQueue


@settings(deadline=None, max_examples=50)
@given(size=st.integers(1, 12), batches=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_holds_the_last_keys(size, batches):
    queue, expected = KeyQueue(4, size), deque(maxlen=size)
    for index, count in enumerate(batches):
        first, second = torch.randn(2, count, 4, generator=torch.Generator().manual_seed(index))
        queue.enter(first, second)
        expected.extend([*first, *second])
    newest = (int(queue.pointer) - 1 - torch.arange(len(expected))) % size
    assert torch.equal(queue.keys[:, newest].T, torch.stack(list(reversed(expected))))


def test_the_columns_are_filled_in_order():
    queue = KeyQueue(2, 5)
    queue.enter(torch.full((2, 2), 1.0), torch.full((2, 2), 2.0))
    assert queue.keys[0, :4].tolist() == [1, 1, 2, 2]
    assert int(queue.pointer) == 4


def test_an_empty_queue_is_refused():
    with pytest.raises(ValueError, match='set queue_size to 1 or more'):
        KeyQueue(4, 0)
