"""Train any config of this repository: tools/train.py CONFIG [options]; tools/dist_train.sh for several processes."""

import argparse
import os

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from cmid_mm.engine.command_line import add_run_arguments, merge_run_arguments, run
from cmid_mm.engine.determinism import make_deterministic
from cmid_mm.engine.lr_scaling import RULES, scale_learning_rate

AMP_TYPES = dict(fp16='float16', bf16='bfloat16')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from a checkpoint, or (auto, or no value) from the newest whole one in the work folder',
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
        '--deterministic',
        action='store_true',
        help='the same losses and weights, bit for bit, from every run on this machine; slower on GPUs',
    )
    parser.add_argument(
        '--knn', metavar='FOLDER', help='score k-NN on this folder of class folders every few epochs (pretraining only)'
    )
    add_run_arguments(parser)
    return parser.parse_args()


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Let the command line override the config."""
    merge_run_arguments(cfg, args)
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if not torch.cuda.is_available() and (args.amp == 'fp16' or cfg.optim_wrapper.get('type') == 'AmpOptimWrapper'):
        raise ValueError(
            'half precision (--amp fp16, AmpOptimWrapper) needs a GPU, and there is none; leave it out, or give '
            '--amp bf16 where the CPU has instructions for bfloat16'
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
    if args.knn:
        cfg.merge_from_dict({'default_hooks.knn': dict(type='OnlineKNNHook', data_root=args.knn)})
    if args.deterministic:
        make_deterministic(cfg)
    return cfg


def main() -> None:
    args = parse_args()
    run('train', lambda: merge_args(Config.fromfile(args.config), args), Runner.train)


if __name__ == '__main__':
    main()
