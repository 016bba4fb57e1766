"""Start a recorded run again, for its first iterations."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from .environment import NUMERIC_VARIABLES
from .run_record import FIRST_LOSSES, describe_data, find_records, read_losses, read_record

LOG = 'rerun.log'


def recorded_run(work_dir: str | Path) -> tuple[dict, dict[int, dict[str, float]], Path]:
    """The record of the run in a work folder and its first losses.

    A work folder that holds several starts is judged by the last that began with the first iteration: what was
    resumed later went on from it.

    Args:
        work_dir (str | Path): The work folder, or the folder of one start in it.

    Returns:
        tuple: The record, the losses, and the folder where they lie.

    Raises:
        FileNotFoundError: If the folder holds no record of such a start.
        ValueError: If the start that was named was resumed, or a file is damaged.
    """
    paths = find_records(work_dir)
    if not paths:
        raise FileNotFoundError(
            f'{work_dir} holds no */run.json; give the work folder of a run whose config has RunRecordHook, as those '
            'of configs/ have'
        )
    for path in reversed(paths):
        record = read_record(path)
        file = path.parent / FIRST_LOSSES
        losses = read_losses(file) if file.is_file() else {}
        if losses and record['first_iteration'] == 0:
            return record, losses, path.parent
    raise ValueError(
        f'{work_dir}: no start in it began with the first iteration and got through it (the last began after iteration '
        f'{record["first_iteration"]}); give the work folder of the run that it went on from'
    )


def config_of(record: Mapping, out: Path, losses: int) -> Config:
    """The config of the recorded run, which ends after so many iterations and writes to ``out``.

    Raises:
        ValueError: If the run had none.
    """
    if not record['config']:
        raise ValueError('the run was built without a config file, so it cannot be started again from its record')
    cfg = Config.fromstring(record['config'], '.py')
    cfg.randomness = dict(cfg.get('randomness', {}), seed=record['seed'])
    # No checkpoint was found, or this start would not have begun with the first iteration.
    cfg.resume = False
    cfg.work_dir = str(out)
    cfg.merge_from_dict(dict(default_hooks=dict(run_record=dict(type='RunRecordHook', losses=losses, stop=True))))
    return cfg


def data_now(cfg: Config) -> dict:
    """What :func:`~cmid_mm.engine.run_record.describe_data` says of a config's training data now.

    Raises:
        OSError: If they are gone.
        ValueError: If they cannot be used.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    return describe_data(dataset)


def train_again(record: Mapping, cfg: Config, out: Path, train: Path) -> int:
    """Run ``tools/train.py`` in as many processes, and under the same settings of the shell that change numbers.

    Args:
        record (Mapping): Of the run.
        cfg (Config): What :func:`config_of` returns.
        out (Path): New work folder; all that the processes print goes to ``rerun.log`` in it.
        train (Path): ``tools/train.py``.

    Returns:
        int: Exit code.

    Raises:
        ValueError: If the processes were on several machines, or there are fewer GPUs than processes.
    """
    count, gpus = record['processes'], torch.cuda.device_count()
    if len(record['machines']) > 1:
        raise ValueError(
            f'the run had {count} processes on {len(record["machines"])} machines, and a rerun starts those of one '
            'machine alone; run the command of run.json on each of them, and compare their first_losses.json'
        )
    if 0 < gpus < count:
        raise ValueError(f'the run had {count} processes, and this machine has {gpus} GPUs; use one with as many')
    out.mkdir(parents=True, exist_ok=True)
    cfg.dump(out / 'config.py')
    command = [sys.executable, str(train), str(out / 'config.py'), '--work-dir', str(out)]
    if record['launcher'] != 'none':
        launch = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={count}']
        command = [sys.executable, *launch, *command[1:], '--launcher', 'pytorch']
    settings = {name: value for name, value in os.environ.items() if name not in NUMERIC_VARIABLES}
    recorded = record['variables']
    settings |= {name: recorded[name] for name in NUMERIC_VARIABLES if name in recorded}
    with (out / LOG).open('w', encoding='utf-8') as log:
        return subprocess.run(command, env=settings, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
