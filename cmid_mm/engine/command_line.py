"""What tools/train.py and tools/test.py share: their options, the processes, and errors of one sentence."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.dist import init_dist
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from cmid_mm.checkpoints import CheckpointError

from .cpu_processes import start_cpu_processes
from .lost_parts import sentence_on_loss
from .process_group import arguments_after_restart, leave_process_group

_PACKAGE = Path(__file__).resolve().parents[1]


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of every run of a config."""
    parser.add_argument('--work-dir', help='folder of logs and checkpoints (default: work_dirs/CONFIG)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='settings to override, as a.b=value; lists as a="[1,2]"'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by older launchers')


def merge_run_arguments(cfg: Config, args: argparse.Namespace) -> Config:
    """Let the options of :func:`add_run_arguments` override the config, in place.

    Raises:
        ValueError: If the launcher needs GPUs and there is none.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(args.config).stem)
    if not torch.cuda.is_available() and args.launcher not in ('none', 'pytorch'):
        raise ValueError(f'--launcher {args.launcher} needs GPUs, and there is none; use tools/dist_train.sh on CPUs')
    return cfg


def run(tool: str, read: Callable[[], Config], action: Callable[[Runner], None]) -> None:
    """Build the runner of a config and let it act.

    An error that this package raises is a sentence for the user and ends the program with it, and so is the loss of a
    data worker or another process; of any other error the traceback is shown.

    Args:
        tool (str): Name that the sentence begins with.
        read (Callable): Returns the config.
        action (Callable): Trains or tests with the runner.
    """
    try:
        cfg = read()
    except (OSError, ValueError) as error:
        sys.exit(f'{tool}: {error}')
    try:
        if cfg.launcher == 'pytorch' and not torch.cuda.is_available():
            start_cpu_processes(cfg)
        elif cfg.launcher == 'pytorch' and (again := arguments_after_restart()):
            # A group that runs already is left alone by the runner.
            init_dist(cfg.launcher, **cfg.get('env_cfg', {}).get('dist_cfg', {}), **again)
        action(RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg))
    except (CheckpointError, FloatingPointError, OSError, ValueError) as error:
        place = _place_in_package(error)
        if place is None:
            raise
        sys.exit(f'{tool}: {error} [{place}]')
    except RuntimeError as error:
        sentence = sentence_on_loss(error)
        if sentence is None:
            raise
        sys.exit(f'{tool}: {sentence}')
    leave_process_group()


def _place_in_package(error: BaseException) -> str | None:
    """File and line of this package that raised an error; None if other code did."""
    while (cause := error.__cause__ or error.__context__) is not None and type(cause) is type(error):
        error = cause  # mmengine's registries raise what a constructor raised anew
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    path = Path(trace.tb_frame.f_code.co_filename).resolve()
    if not path.is_relative_to(_PACKAGE):
        return None
    return f'{path.relative_to(_PACKAGE.parent)}:{trace.tb_lineno}'
