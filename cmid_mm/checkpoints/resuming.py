"""Which checkpoint of a run to go on from, and which of them to keep."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from .config_text import parse_config_text
from .loading import CheckpointError, check_sums

# Settings that a resumed run need not share: the weights that the checkpoint's replace, speed, and precision.
_FREE = ('init_cfg', 'compile_networks')
_PRECISION = ('optim_wrapper.type', 'optim_wrapper.dtype', 'optim_wrapper.loss_scale')
_UNSET = object()


def newest_whole(folder: str | os.PathLike, patterns: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Find the checkpoint that was written last, of those whose checksums fit.

    Args:
        folder (str or PathLike): Folder of checkpoints.
        patterns (Sequence[str]): Their names, as ``epoch_*.pth``.

    Returns:
        tuple[Path or None, list[str]]: The checkpoint, None if the folder has none; and a sentence on each newer one
        that is damaged.

    Raises:
        CheckpointError: If there are some and all are damaged.
    """
    found = {path for pattern in patterns for path in Path(folder).glob(pattern) if path.is_file()}
    damaged = []
    for path in sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        try:
            check_sums(path)
        except CheckpointError as error:
            damaged.append(str(error))
        else:
            return path, damaged
    if damaged:
        raise CheckpointError(
            f'none of the {len(damaged)} checkpoints in {folder} is whole (the newest: {damaged[0]}); restore one, or '
            'remove them to begin anew'
        )
    return None, []


def superseded(written: Sequence[str], last: int, kept: Collection[str]) -> list[str]:
    """Say which checkpoints of a run to remove.

    Args:
        written (Sequence[str]): All that are there, in the order in which they were written.
        last (int): How many of the last to keep; 0 or less: all.
        kept (Collection[str]): Those that are kept however old they are.

    Returns:
        list[str]: Names, the oldest first.
    """
    return [name for name in written[:-last] if name not in kept] if last > 0 else []


def check_same_config(path: str, there: str, here: str, keys: Sequence[str]) -> None:
    """Refuse a checkpoint that another config has written.

    Args:
        path (str): The checkpoint, for the message.
        there (str): The text of its config.
        here (str): The text of the config of this run.
        keys (Sequence[str]): Settings that must be the same, such as ``model`` or ``train_dataloader.batch_size``. What
            is below them counts too, but for ``init_cfg``, ``compile_networks`` and the precision (``--amp``).

    Raises:
        CheckpointError: The message names the first setting that differs, and its values.
    """
    theirs, ours = parse_config_text(there), parse_config_text(here)
    for key in keys:
        difference = _first_difference(key, _setting(theirs, key), _setting(ours, key))
        if difference is not None:
            name, *values = difference
            there, here = ('not set' if value is _UNSET else shorten(repr(value), 80) for value in values)
            raise CheckpointError(
                f'{path} was written by another config: {name} is {there} there and {here} here; resume with the '
                'config of that run, or begin a new run with its weights (load_from instead of --resume)'
            )


def _setting(cfg: Mapping[str, Any], key: str) -> Any:
    for part in key.split('.'):
        cfg = cfg.get(part, _UNSET) if isinstance(cfg, Mapping) else _UNSET
    return cfg


def _first_difference(key: str, there: Any, here: Any) -> tuple[str, Any, Any] | None:
    """The key and both values, in the order of this run's config."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        pairs = {name: (there.get(name, _UNSET), here.get(name, _UNSET)) for name in [*here, *there]}
    elif isinstance(there, list | tuple) and isinstance(here, list | tuple) and len(there) == len(here):
        pairs = dict(enumerate(zip(there, here, strict=True)))
    else:
        return None if there == here else (key, there, here)
    for name, values in pairs.items():
        below = f'{key}.{name}'
        if name in _FREE or below in _PRECISION:
            continue
        if (difference := _first_difference(below, *values)) is not None:
            return difference
    return None
