"""Processes that torchrun has started again do not read what those before them have left."""

import datetime
from collections.abc import Callable

import pytest
import torch
from torch.distributed import TCPStore

from cmid_mm.engine.process_group import arguments_after_restart, leave_process_group


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], TCPStore]:
    """The store of a torchrun, and the variables that its only process has in a start."""
    store = TCPStore('127.0.0.1', 0, is_master=True, timeout=datetime.timedelta(seconds=30))

    def _started(start: int) -> TCPStore:
        variables = dict(
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=store.port,
            RANK=0,
            WORLD_SIZE=1,
            TORCHELASTIC_RESTART_COUNT=start,
            TORCHELASTIC_USE_AGENT_STORE=True,
        )
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        return store

    return _started


def test_each_restart_has_entries_of_its_own(started):
    store = started(1)
    first = arguments_after_restart()
    first['store'].set('address', 'gone')
    started(2)
    second = arguments_after_restart()
    assert not second['store'].check(['address'])
    assert first['store'].get('address') == b'gone'
    assert not store.check(['address'])
    assert (second['rank'], second['world_size']) == (0, 1)


def test_a_group_runs_after_a_restart(started):
    started(1)
    torch.distributed.init_process_group('gloo', **arguments_after_restart())
    try:
        total = torch.ones(2)
        torch.distributed.all_reduce(total)
        assert total.tolist() == [1, 1]
    finally:
        leave_process_group()
    assert not torch.distributed.is_initialized()
    leave_process_group()  # as a run of one process does


def test_a_first_start_is_left_to_torch(started, monkeypatch):
    started(0)
    assert arguments_after_restart() == {}
    monkeypatch.delenv('TORCHELASTIC_RESTART_COUNT')
    assert arguments_after_restart() == {}
