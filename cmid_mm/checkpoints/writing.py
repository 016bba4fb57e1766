"""The one form in which weights leave this package: a ``.pth`` or ``.safetensors`` file with its facts beside them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from cmid_mm.version import __version__

FORMATS = ('.pth', '.safetensors')
_UNFINISHED = '.unfinished'


def check_format(out: str | os.PathLike) -> Path:
    """The path of a file to write.

    Raises:
        ValueError: If its suffix is unknown.
    """
    out = Path(out)
    if out.suffix not in FORMATS:
        raise ValueError(f'{out} does not end in one of {FORMATS}; name the file to write accordingly')
    return out


def write_weights(out: Path, state_dict: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write weights and facts; nothing stands at ``out`` before all is written.

    Args:
        out (Path): In ``.pth`` ``dict(state_dict=..., meta=facts)``, in ``.safetensors`` the facts as JSON in the
            metadata; ``load_checkpoint`` reads both the same.
        state_dict (dict[str, Tensor]): The weights.
        facts (dict): What is known of them; the version of this package is added.
    """
    facts = dict(facts, cmid_mm_version=__version__)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as unfinished:
        if out.suffix == '.safetensors':
            contiguous = {name: tensor.contiguous() for name, tensor in state_dict.items()}
            save_file(contiguous, unfinished, metadata={name: json.dumps(value) for name, value in facts.items()})
        else:
            torch.save(dict(state_dict=state_dict, meta=facts), unfinished)


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """Let a file take the place of another in one step, on the disk too: at any moment one of the two is there, whole.

    Args:
        out (Path): The place.

    Yields:
        Path: What to write, in the folder of ``out``; gone if that fails. A process that is killed leaves it, see
        :func:`remove_unfinished`.
    """
    unfinished = out.with_name(f'.{out.name}.{os.getpid()}{_UNFINISHED}')
    try:
        yield unfinished
        _write_to_disk(unfinished)  # or a power cut could leave the new name with nothing behind it
        unfinished.replace(out)
        _write_to_disk(out.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def remove_unfinished(folder: str | os.PathLike) -> list[Path]:
    """Remove what killed processes were writing in a folder to which nobody writes now; return what it was."""
    found = sorted(Path(folder).glob(f'.*{_UNFINISHED}'))
    for path in found:
        path.unlink(missing_ok=True)
    return found


def _write_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
