"""What a run was: all that is needed to start it again, and to say what has changed since."""

import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import Dataset

from cmid_mm.checkpoints.components import dicts_in
from cmid_mm.checkpoints.loading import sha256_of
from cmid_mm.checkpoints.writing import replacing
from cmid_mm.datasets.fingerprint import fingerprint
from cmid_mm.version import __version__

from .environment import hardware, software, variables
from .git_state import git_state

RECORD, FIRST_LOSSES = 'run.json', 'first_losses.json'
_PARTS = {
    'command',
    'config',
    'data',
    'deterministic',
    'first_iteration',
    'folder',
    'git',
    'hardware',
    'iterations',
    'launcher',
    'machines',
    'processes',
    'seed',
    'software',
    'started',
    'threads',
    'variables',
    'weights',
}


def describe_run(runner: Runner, machines: list[str]) -> dict:
    """Describe a run that is about to train.

    Args:
        runner (Runner): After its data, model and checkpoint were loaded.
        machines (list[str]): Host name of each process.

    Returns:
        dict: For JSON. ``config`` is the resolved config as the text of a config file, overrides of the command line
        included; ``first_iteration`` is above 0 for a run that was resumed; ``weights`` are the SHA-256 of the files
        that it began with. The command is kept as it was given, and of the environment's variables those alone that
        :mod:`~cmid_mm.engine.environment` lists.
    """
    return {
        'cmid_mm': __version__,
        'started': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'command': sys.orig_argv,
        'folder': os.getcwd(),
        'seed': runner.seed,
        'deterministic': runner.deterministic,
        'launcher': runner.launcher,
        'processes': len(machines),
        'machines': sorted(set(machines)),
        'threads': torch.get_num_threads(),
        'first_iteration': runner.iter,
        'iterations': runner.max_iters,
        'data': describe_data(runner.train_dataloader.dataset),
        'weights': {path: sha256_of(path) for path in starting_weights(runner.cfg)},
        'git': git_state(),
        'hardware': hardware(),
        'software': software(),
        'variables': variables(),
        'config': runner.cfg.pretty_text,
    }


def describe_data(dataset: Dataset) -> dict[str, str | int | None]:
    """Class, number of samples and :func:`~cmid_mm.datasets.fingerprint.fingerprint` of a data set."""
    return {'dataset': type(dataset).__name__, 'samples': len(dataset), 'fingerprint': fingerprint(dataset)}


def starting_weights(cfg: Config) -> list[str]:
    """The files of weights that a config names and that are on this machine."""
    named = {cfg.get('load_from')} | {part.get('checkpoint') for part in dicts_in(cfg.get('model', {}))}
    return sorted(path for path in named if isinstance(path, str) and os.path.isfile(path))


def write_record(folder: str | Path, record: dict) -> Path:
    """Write ``run.json`` into the folder of one start of a run, whole or not at all."""
    path = Path(folder) / RECORD
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(record, indent=1) + '\n', encoding='utf-8')
    return path


def read_record(path: str | Path) -> dict:
    """Read a ``run.json``.

    Raises:
        ValueError: If it is damaged or is none.
    """
    try:
        record = json.loads(Path(path).read_text(encoding='utf-8'))
        missing = _PARTS - set(record)
    except (ValueError, TypeError) as error:
        raise ValueError(f'{path} is no record of a run ({error}); remove it, or restore it from a copy') from error
    if missing:
        raise ValueError(f'{path} is no record of a run: {", ".join(sorted(missing))} is missing; restore it')
    return record


def find_records(work_dir: str | Path) -> list[Path]:
    """The records in a work folder, those of each start in turn, or that in the folder of one start."""
    work_dir = Path(work_dir)
    return [work_dir / RECORD] if (work_dir / RECORD).is_file() else sorted(work_dir.glob(f'*/{RECORD}'))


def read_losses(path: str | Path) -> dict[int, dict[str, float]]:
    """Read a ``first_losses.json``: for each iteration, from 1, the value of every loss by name.

    Raises:
        ValueError: If a line is damaged.
    """
    losses = {}
    for number, line in enumerate(Path(path).read_text(encoding='utf-8').splitlines(), 1):
        try:
            values = json.loads(line)
            losses[values.pop('step')] = values
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path}, line {number}: not a JSON object with a 'step'.") from error
    return losses
