"""Load checkpoints without running what is in them."""

import os
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import CheckpointLoader
from safetensors import SafetensorError
from safetensors.torch import load_file

ALLOW_PICKLE = 'CMID_MM_ALLOW_PICKLE'


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or does not fit; the message says which and what to do."""


def _method_of_history(owner: type, name: str) -> Callable:
    """Stand in for ``getattr``, which pickled history buffers ask for to name their own methods."""
    if owner is not HistoryBuffer or name.startswith('_'):
        raise UnpicklingError(f'getattr of {name!r} on {owner!r}')
    return getattr(HistoryBuffer, name)


# What mmengine's own training checkpoints hold besides tensors: logged values in history buffers.
SAFE_GLOBALS = [
    HistoryBuffer,
    (_method_of_history, 'builtins.getattr'),
    np._core.multiarray._reconstruct,
    np._core.multiarray.scalar,
    np.ndarray,
    np.dtype,
    *(type(np.dtype(name)) for name in ('float32', 'float64', 'int32', 'int64', 'uint32', 'bool')),
]


def load_checkpoint(path: str | os.PathLike, map_location: str | torch.device | None = 'cpu') -> dict:
    """Load a ``.pth`` file with ``weights_only=True``, or a ``.safetensors`` file.

    A file that needs full pickle, which can run any code, is refused unless the environment variable
    ``CMID_MM_ALLOW_PICKLE=1`` says that its origin is trusted.

    Args:
        path (str or PathLike): A local file.
        map_location (str or torch.device, optional): As in ``torch.load``. Defaults to ``'cpu'``.

    Returns:
        dict: The checkpoint; of a ``.safetensors`` file ``dict(state_dict=...)``.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is damaged, or needs pickle.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'{path} is no checkpoint file; check the path')
    if path.suffix == '.safetensors':
        try:
            return dict(state_dict=load_file(path, device=str(map_location or 'cpu')))
        except SafetensorError as error:
            raise CheckpointError(f'{path} is damaged ({error}); copy or write it again') from error
    if os.environ.get(ALLOW_PICKLE) == '1':
        return torch.load(path, map_location=map_location, weights_only=False)  # asked for by name
    try:
        with torch.serialization.safe_globals(SAFE_GLOBALS):
            return torch.load(path, map_location=map_location, weights_only=True)
    except UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f'{path} holds more than weights ({reason}), which could run code on loading; '
            f'set {ALLOW_PICKLE}=1 if you trust its origin'
        ) from error
    except (RuntimeError, EOFError) as error:
        raise CheckpointError(f'{path} is damaged ({error}); copy or write it again') from error


@CheckpointLoader.register_scheme(prefixes='', force=True)
def _load_from_local(filename: str, map_location: str | torch.device | None = None) -> dict:
    """Stand in for mmengine's own loader of local files, which falls back to full pickle by itself."""
    return load_checkpoint(filename, map_location)
