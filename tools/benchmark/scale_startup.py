"""How long it takes to import the package and to reach the first step of a run; part of scale.py."""

import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from mmengine.config import Config

from cmid_mm.datasets.scenes import write_scenes

REPO = Path(__file__).resolve().parents[2]
PROGRAMS = dict(
    torch_and_mmpretrain_s='import torch; import mmpretrain',
    # Nobody registers a model or a transform in mmpretrain without importing these.
    mmpretrain_parts_s='import torch; import mmpretrain.models, mmpretrain.datasets, mmpretrain.structures',
    cmid_mm_s='import cmid_mm',
)
IMAGES, BATCH = 4, 2
CONTRIBUTORS = 8


def measure(config: str, options: dict, rounds: int) -> dict:
    """Time imports and the way to the first finished iteration, in turns.

    Args:
        config (str): What is trained, two images a step.
        options (dict): Settings of the config to override.
        rounds (int): Turns, of which medians are taken.

    Returns:
        dict: Seconds of three imports, each of a fresh interpreter, and of tools/train.py to its first iteration;
        ``import_ratio`` and ``train_ratio`` to ``import torch; import mmpretrain``; and ``contributors``, the
        packages with most time of their own modules in ``import cmid_mm``: ``seconds``, and ``ours_s``, what is
        spent on modules that mmpretrain's parts do not need.
    """
    with TemporaryDirectory(prefix='scale-') as folder:
        run = _short_run(config, options, Path(folder))
        seconds: dict[str, list[float]] = {}
        for _ in range(rounds + 1):  # the first turn reads the files from disk
            for name, program in PROGRAMS.items():
                seconds.setdefault(name, []).append(_seconds([sys.executable, '-c', program]))
            seconds.setdefault('first_iteration_s', []).append(_seconds(run, until='Epoch(train)'))
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    base = medians['torch_and_mmpretrain_s']
    return dict(
        medians,
        import_ratio=medians['cmid_mm_s'] / base,
        train_ratio=medians['first_iteration_s'] / base,
        contributors=_contributors(),
    )


def _short_run(config: str, options: dict, folder: Path) -> list[str]:
    """Command of a run of two iterations on drawn scenes."""
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options)
    write_scenes(folder / 'scenes', IMAGES, size=128, seed=0, tasks=['classification'], workers=1, val_fraction=0.0)
    cfg.train_dataloader.batch_size = BATCH
    cfg.train_dataloader.dataset.update(data_root=str(folder / 'scenes'), cache=str(folder / 'index'))
    cfg.train_cfg.max_epochs = 1
    cfg.param_scheduler = []
    cfg.default_hooks.logger = dict(type='LoggerHook', interval=1)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=-1, save_last=False)
    cfg.dump(folder / 'config.py')
    return [sys.executable, str(REPO / 'tools/train.py'), str(folder / 'config.py'), '--work-dir', str(folder / 'run')]


def _seconds(command: list[str], until: str | None = None) -> float:
    """Time a program to its end, or to the line that holds a text."""
    started, seen, lines = time.perf_counter(), None, []
    with subprocess.Popen(
        command, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout:
            lines.append(line)
            if until is not None and seen is None and until in line:
                seen = time.perf_counter() - started
    if process.returncode or (until is not None and seen is None):
        raise RuntimeError(f'{" ".join(command)} failed:\n{"".join(lines[-20:])}')
    return time.perf_counter() - started if seen is None else seen


def _contributors() -> list[dict]:
    whole, needed = (_import_times(PROGRAMS[name]) for name in ('cmid_mm_s', 'mmpretrain_parts_s'))
    packages, ours = Counter(), Counter()
    for module, seconds in whole.items():
        package = module.partition('.')[0]
        packages[package] += seconds
        if module not in needed:
            ours[package] += seconds
    return [dict(package=name, seconds=value, ours_s=ours[name]) for name, value in packages.most_common(CONTRIBUTORS)]


def _import_times(program: str) -> dict[str, float]:
    """Seconds that each module takes without those that it imports."""
    run = subprocess.run(
        [sys.executable, '-X', 'importtime', '-c', program],
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    rows = (line.removeprefix('import time:').split('|') for line in run.stderr.splitlines() if '|' in line)
    return {row[2].strip(): int(row[0]) / 1e6 for row in rows if len(row) == 3 and row[0].strip().isdigit()}


def _environment() -> dict[str, str]:
    paths = filter(None, (str(REPO), os.environ.get('PYTHONPATH')))
    return {**os.environ, 'PYTHONPATH': os.pathsep.join(paths)}
