"""Let something run in each data worker before it reads."""

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


def _in_turn(first: Callable[[int], None] | None, then: Callable[[int], None], worker: int) -> None:
    if first is not None:
        first(worker)
    then(worker)
