"""Load checkpoints without running what is in them."""

import hashlib
import json
import os
import re
import struct
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile, ZipFile

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

    A ``.pth`` file is compared with the checksums in it first (:func:`check_sums`); torch's format before 1.6 has none.

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
    if _is_zip(path):
        check_sums(path)
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
    # Whatever damaged bytes make of the reader of torch's old format, too.
    except (RuntimeError, EOFError, LookupError, TypeError, ValueError, struct.error) as error:
        raise CheckpointError(f'{path} is damaged ({error}); copy or write it again') from error


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file of any size, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _is_zip(path: Path) -> bool:
    with open(path, 'rb') as file:
        return file.read(4) == b'PK\x03\x04'


def check_sums(path: Path) -> None:
    """Compare a file with the CRC-32 sums that ``torch.save`` writes into it, which ``torch.load`` does not.

    They cover every tensor and the structure that names it.

    Args:
        path (Path): A ``.pth`` file.

    Raises:
        CheckpointError: If bytes have changed or the end is missing.
    """
    try:
        with ZipFile(path) as file:
            damaged = file.testzip()
    except PermissionError:
        raise
    # Whatever the fields of a damaged directory make zipfile do.
    except (BadZipFile, EOFError, OSError, RuntimeError, ValueError, struct.error) as error:
        raise CheckpointError(
            f'{path} is damaged, most likely cut short ({error}); take another, copy or write it again'
        ) from error
    if damaged is not None:
        raise CheckpointError(
            f'{path} is damaged: the checksum of {damaged} in it does not fit; take another, copy or write it again'
        )


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
