"""Load checkpoints without running what is in them."""

import json
import os
import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import CheckpointLoader
from safetensors import SafetensorError, safe_open

ALLOW_PICKLE = 'CMID_MM_ALLOW_PICKLE'


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or does not fit; the message says which and what to do."""


def _method_of_history(owner: type, name: str) -> Callable:
    """Stand in for ``getattr``, which pickled history buffers ask for to name their own methods."""
    if owner is not HistoryBuffer or name.startswith('_'):
        raise UnpicklingError(f'getattr of {name!r} on {owner!r}')
    return getattr(HistoryBuffer, name)


# What training checkpoints hold besides tensors: logged values in history buffers (mmengine), arguments (MAE).
SAFE_GLOBALS = [
    HistoryBuffer,
    (_method_of_history, 'builtins.getattr'),
    Namespace,
    np._core.multiarray._reconstruct,
    np._core.multiarray.scalar,
    # Their names in files that were written with numpy 1.
    (np._core.multiarray._reconstruct, 'numpy.core.multiarray._reconstruct'),
    (np._core.multiarray.scalar, 'numpy.core.multiarray.scalar'),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(name)) for name in ('float32', 'float64', 'int32', 'int64', 'uint32', 'bool')),
]


def load_checkpoint(
    path: str | os.PathLike, map_location: str | torch.device | None = 'cpu', trusted: bool = False
) -> dict:
    """Load a ``.pth`` file with ``weights_only=True``, or a ``.safetensors`` file.

    A file that needs full pickle, which can run any code, is refused unless the caller or the environment variable
    ``CMID_MM_ALLOW_PICKLE=1`` says that its origin is trusted.

    Args:
        path (str or PathLike): A local file.
        map_location (str or torch.device, optional): As in ``torch.load``. Defaults to ``'cpu'``.
        trusted (bool): Let the file run code, as ``CMID_MM_ALLOW_PICKLE=1`` does. Defaults to False.

    Returns:
        dict: The checkpoint; of a ``.safetensors`` file ``dict(state_dict=..., meta=...)``.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is damaged, or needs pickle or a package that is not installed.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'{path} is no checkpoint file; check the path')
    if path.suffix == '.safetensors':
        return _load_safetensors(path, str(map_location or 'cpu'))
    trusted = trusted or os.environ.get(ALLOW_PICKLE) == '1'
    try:
        if trusted:
            return torch.load(path, map_location=map_location, weights_only=False)  # asked for by name
        with torch.serialization.safe_globals(SAFE_GLOBALS):
            return torch.load(path, map_location=map_location, weights_only=True)
    except (ImportError, AttributeError) as error:
        raise CheckpointError(
            f'{path} holds objects of a package that is not installed, or not in that version ({error}); install it'
        ) from error
    except UnpicklingError as error:
        if trusted:
            raise CheckpointError(f'{path} is damaged ({error}); copy or write it again') from error
        if 'Unsupported operand' in str(error):  # not even pickle
            raise CheckpointError(
                f'{path} is no checkpoint, or damaged; check the path, copy or write it again'
            ) from error
        raise CheckpointError(
            f'{path} holds more than weights ({_refused_by_torch(error)}), which could run code on loading; '
            f'set {ALLOW_PICKLE}=1 if you trust its origin (tools/convert_checkpoint.py: --trust-checkpoint)'
        ) from error
    except (RuntimeError, EOFError) as error:
        raise CheckpointError(f'{path} is damaged ({error}); copy or write it again') from error


def _refused_by_torch(error: UnpicklingError) -> str:
    """What torch refused; the rest of its message says how to run it all the same."""
    found = re.search(r'GLOBAL ([\w.]+)', str(error))
    return found[1] if found else 'objects that torch does not know as safe'


def _load_safetensors(path: Path, device: str) -> dict:
    try:
        with safe_open(path, framework='pt', device=device) as file:
            facts = {name: _parsed(text) for name, text in (file.metadata() or {}).items()}
            return dict(state_dict={name: file.get_tensor(name) for name in file.keys()}, meta=facts)  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f'{path} is damaged ({error}); copy or write it again') from error


def _parsed(text: str) -> Any:
    """The value of a fact that this package wrote; of another's metadata the text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


@CheckpointLoader.register_scheme(prefixes='', force=True)
def _load_from_local(filename: str, map_location: str | torch.device | None = None) -> dict:
    """Stand in for mmengine's own loader of local files, which falls back to full pickle by itself."""
    return load_checkpoint(filename, map_location)
