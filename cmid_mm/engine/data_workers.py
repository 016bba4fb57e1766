"""Let something run in each data worker before it reads, such as what ends it with its parent."""

import os
import threading
import time
from collections.abc import Callable
from functools import partial

from torch.utils.data import DataLoader


def at_worker_start(loader: DataLoader, action: Callable[[int], None]) -> None:
    """Add to what the workers of a loader do first; to be called before they are started.

    Args:
        loader (DataLoader): The loader.
        action (Callable): Called in each worker with its number; picklable where workers are spawned.
    """
    loader.worker_init_fn = partial(_in_turn, loader.worker_init_fn, action)


def end_with_parent(worker: int) -> None:
    """In a worker: end within seconds of the process that started it, however that came to its end.

    torch's worker sees that its parent is gone as well, but on its way out it waits until what it has read is taken,
    which is for ever if that is more than a pipe holds.

    Args:
        worker (int): Its number.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _in_turn(first: Callable[[int], None] | None, then: Callable[[int], None], worker: int) -> None:
    if first is not None:
        first(worker)
    then(worker)
