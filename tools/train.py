"""Train any config of this repository: tools/train.py CONFIG [options]; tools/dist_train.sh for several processes."""

import argparse
import os
import sys
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from cmid_mm.engine.cpu_processes import start_cpu_processes
from cmid_mm.engine.lr_scaling import RULES, scale_learning_rate

AMP_TYPES = dict(fp16='float16', bf16='bfloat16')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder of logs and checkpoints (default: work_dirs/CONFIG)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from a checkpoint, or, without a value, from the last one in the work folder',
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='fp16',
        choices=tuple(AMP_TYPES),
        help='mixed precision (default: fp16, which needs a GPU; bf16 runs on CPUs too)',
    )
    parser.add_argument(
        '--auto-scale-lr',
        nargs='?',
        const='linear',
        choices=RULES,
        help='scale the learning rate with the batch size (default: linear; the authors advise sqrt for Adan)',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='settings to override, as a.b=value; lists as a="[1,2]"'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by older launchers')
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Let the command line override the config."""
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(args.config).stem)
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if not torch.cuda.is_available():
        if args.amp == 'fp16' or cfg.optim_wrapper.get('type') == 'AmpOptimWrapper':
            raise ValueError(
                'half precision (--amp fp16, AmpOptimWrapper) needs a GPU, and there is none; leave it out, or give '
                '--amp bf16 where the CPU has instructions for bfloat16'
            )
        if args.launcher not in ('none', 'pytorch'):
            raise ValueError(
                f'--launcher {args.launcher} needs GPUs, and there is none; use tools/dist_train.sh on CPUs'
            )
    if args.amp and not torch.cuda.is_available():
        cfg.optim_wrapper.type = 'CPUAmpOptimWrapper'
    elif args.amp:
        cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype=AMP_TYPES[args.amp])
        # bfloat16 has the range of float32, so there is nothing to scale.
        cfg.optim_wrapper.loss_scale = 'dynamic' if args.amp == 'fp16' else 1.0
    if args.auto_scale_lr:
        world_size = int(os.environ.get('WORLD_SIZE', os.environ.get('SLURM_NTASKS', 1)))
        scale_learning_rate(cfg, args.auto_scale_lr, world_size if args.launcher != 'none' else 1)
    return cfg


def main() -> None:
    args = parse_args()
    try:
        cfg = merge_args(Config.fromfile(args.config), args)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'train: {error}')
    if args.launcher == 'pytorch' and not torch.cuda.is_available():
        start_cpu_processes(cfg)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.train()
    if torch.distributed.is_initialized():
        # Threads of gloo that outlive the interpreter abort it.
        torch.distributed.destroy_process_group()


if __name__ == '__main__':
    main()
