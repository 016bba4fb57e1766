"""Test a trained model and print its metrics: tools/test.py CONFIG CHECKPOINT [--show-dir FOLDER]."""

import argparse
from functools import partial

from mmengine.config import Config
from mmengine.evaluator import DumpResults
from mmengine.runner import Runner

from cmid_mm.checkpoints import load_checkpoint, load_strictly
from cmid_mm.engine.command_line import add_run_arguments, merge_run_arguments, run

# What switches drawing on in the visualisation hook of each library; {} is the folder.
DRAWING = {
    'VisualizationHook': dict(enable=True, interval=1, out_dir='{}'),
    'SegVisualizationHook': dict(draw=True, interval=1),
    'mmdet.DetVisualizationHook': dict(draw=True, interval=1),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='epoch_*.pth or best_*.pth that tools/train.py wrote')
    parser.add_argument('--show-dir', help='draw every prediction into this folder')
    parser.add_argument('--out', help='write all predictions to this .pkl file')
    add_run_arguments(parser)
    return parser.parse_args()


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Let the command line override the config."""
    merge_run_arguments(cfg, args)
    cfg.load_from, cfg.resume = None, False  # the checkpoint is loaded by evaluate(), strictly
    if args.show_dir is not None:
        hook = cfg.default_hooks.get('visualization')
        if hook is None or hook.type not in DRAWING:
            raise ValueError(
                f'--show-dir: default_hooks.visualization of {args.config} is {hook}, which cannot draw; '
                f'set it to one of {tuple(DRAWING)}'
            )
        hook.update({key: args.show_dir if value == '{}' else value for key, value in DRAWING[hook.type].items()})
        cfg.visualizer.save_dir = args.show_dir
    return cfg


def evaluate(args: argparse.Namespace, runner: Runner) -> None:
    """Load the whole model strictly, and test it."""
    load_strictly(runner.model, load_checkpoint(args.checkpoint), args.checkpoint)
    if args.out is not None:
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
    runner.test()


def main() -> None:
    args = parse_args()
    run('test', lambda: merge_args(Config.fromfile(args.config), args), partial(evaluate, args))


if __name__ == '__main__':
    main()
