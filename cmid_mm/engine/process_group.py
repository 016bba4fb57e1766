"""The process group of a run: how it is joined after a restart, and left."""

import os
from typing import Any

import torch
from torch.distributed import PrefixStore, TCPStore
from torch.distributed.distributed_c10d import default_pg_timeout


def arguments_after_restart() -> dict[str, Any]:
    """What ``init_process_group`` needs beside its backend in processes that torchrun has started again.

    Processes tell each other their addresses through a store, and torchrun keeps one store for all its starts
    (``--max-restarts``). A process that reads what one before the restart left there connects to an address that is
    gone, and is refused or waits (https://github.com/pytorch/pytorch/issues/135712). Here the entries of each start
    have names of their own.

    Returns:
        dict[str, Any]: ``store``, ``rank`` and ``world_size``; nothing in a first start.
    """
    start = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')
    if start == '0' or os.environ.get('TORCHELASTIC_USE_AGENT_STORE') != 'True':
        return {}
    store = TCPStore(
        os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT']), is_master=False, timeout=default_pg_timeout
    )
    return dict(
        store=PrefixStore(f'restart_{start}', store),
        rank=int(os.environ['RANK']),
        world_size=int(os.environ['WORLD_SIZE']),
    )


def leave_process_group() -> None:
    """End this process's part in the group, if there is one: threads of gloo that outlive the interpreter abort it."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
