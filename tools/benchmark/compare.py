"""One fair table: pretrain several methods under one budget on the same images, and score what they learned.

    tools/benchmark/compare.py --methods cmid byol mae untrained --data ucmerced=../shared/data/ucmerced \\
        --transfer rsscn7=../shared/data/rsscn7 --epochs 20 --seeds 0 1 2 --jobs 2

docs/comparison.md says what is equal, what is not, and how to read the table. Finished pieces are not run again; a
run that was stopped goes on. A colour histogram is always a row.
"""

import argparse
import copy
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import comparison
import torch
from cells import (
    CONFIGS,
    HISTOGRAM,
    LOADED,
    PRETRAINED,
    UNTRAINED,
    Cell,
    Evaluation,
    Scenes,
    find_scenes,
    make_cell,
    run_cells,
)
from mmengine.config import Config
from mmengine.registry import init_default_scope

from cmid_mm.engine.environment import environment
from cmid_mm.engine.image_fitting import fit_to_images
from cmid_mm.engine.lr_scaling import RULES
from cmid_mm.engine.short_run import fit_to_short_run, use_fast_precision
from cmid_mm.evaluation.few_shot import SHOTS
from cmid_mm.visualization.progress import ProgressBar

BAR = partial(ProgressBar, every_seconds=60)
# Torchvision's names of the backbones whose keys are mmpretrain's.
TORCHVISION = {'r18': 'resnet18', 'r34': 'resnet34', 'r50': 'resnet50', 'r101': 'resnet101', 'r152': 'resnet152'}
IMAGENET_NORMALISATION = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
BACKBONES = ('r18', 'vit-t', 'swin-t')
# Methods that are no folder of configs/.
SPECIAL = ('untrained', 'imagenet')


@dataclass(frozen=True)
class PlainRow:
    """A row that pretrains on nothing."""

    name: str
    kind: str
    backbone: str
    cfg: Config
    weights: str | None = None


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--methods', nargs='+', default=[], help="folders of configs/, 'untrained', 'imagenet'")
    parser.add_argument(
        '--configs', nargs='+', default=[], metavar='NAME=FILE', help='other pretraining configs, as further methods'
    )
    parser.add_argument(
        '--backbone',
        nargs='+',
        default=BACKBONES,
        help=f'a method is configs/METHOD/METHOD_BACKBONE_ucmerced.py of the first that exists (default: '
        f'{" ".join(BACKBONES)})',
    )
    parser.add_argument(
        '--data', nargs='+', required=True, metavar='NAME=FOLDER', help='class folders to pretrain on, each for itself'
    )
    parser.add_argument(
        '--transfer', nargs='+', default=[], metavar='NAME=FOLDER', help='class folders that are scored only'
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    budget = parser.add_argument_group('budget')
    budget.add_argument('--budget', choices=('images', 'time'), default='images', help='what methods have equally')
    budget.add_argument('--epochs', type=int, help='of --budget images')
    budget.add_argument('--minutes', type=float, help='of --budget time, for one pretraining')
    budget.add_argument('--batch-size', type=int, default=64, help='images a step, for all (default: 64)')
    budget.add_argument(
        '--scale-lr', choices=RULES, default='sqrt', help='how rates follow the batch, for all (default: sqrt)'
    )
    budget.add_argument(
        '--rates', type=float, nargs='+', default=[1.0], help='factors of the learning rate, each a row (default: 1)'
    )
    scores = parser.add_argument_group('scores')
    scores.add_argument('--shots', type=int, nargs='*', default=SHOTS, help='images a class (default: 5 20 50 100)')
    scores.add_argument(
        '--fine-tune-steps', type=int, default=100, help='iterations of fine-tuning; 0 leaves it out (default: 100)'
    )
    scores.add_argument('--fine-tune-on', nargs='+', metavar='NAME', help='(default: all that is scored)')
    scores.add_argument('--imagenet-weights', type=Path, metavar='FILE', help="torchvision's file (default: its cache)")
    parser.add_argument('--jobs', type=int, help='cells at once (default: one on each GPU, or one)')
    parser.add_argument('--workers', type=int, default=1, help='processes that load images for each job')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/compare'), help='where all is written')
    args = parser.parse_args(arguments)
    check(parser, args)
    return args


def check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what would be found out hours later."""
    if not args.methods and not args.configs:
        parser.error('there is nothing to compare; give --methods or --configs')
    if args.budget == 'images' and (args.epochs is None or args.epochs < 1 or args.minutes is not None):
        parser.error('--budget images needs --epochs of 1 or more, and no --minutes')
    if args.budget == 'time' and (args.minutes is None or args.minutes <= 0 or args.epochs is not None):
        parser.error('--budget time needs --minutes of more than 0, and no --epochs')
    if args.batch_size < 2:
        parser.error(f'--batch-size {args.batch_size} leaves nothing to normalise over; give 2 or more')
    if min(args.shots, default=2) < 2:
        parser.error('--shots of 1 leaves nothing to validate the probe on; give 2 or more')
    if (args.jobs or 1) < 1 or args.workers < 0 or args.fine_tune_steps < 0 or min(args.seeds) < 0:
        parser.error('--jobs must be 1 or more; --workers, --fine-tune-steps and --seeds 0 or more')
    if min(args.rates) <= 0 or len(set(args.rates)) < len(args.rates):
        parser.error('--rates must be more than 0, and none twice')
    for name in ('data', 'transfer', 'configs'):
        setattr(args, name, [split(parser, f'--{name}', item) for item in getattr(args, name)])
    names = [name for name, _ in args.data + args.transfer]
    if len(set(names)) < len(names):
        parser.error(f'--data and --transfer use a name twice: {" ".join(names)}')
    for name, folder in args.data + args.transfer:
        if not folder.is_dir():
            parser.error(f'{name}={folder} is not NAME=FOLDER of an existing folder')
    pretrained = {folder.resolve() for _, folder in args.data}
    for name, folder in args.transfer:
        if folder.resolve() in pretrained:
            parser.error(f'--transfer {name}={folder} is also pretrained on; leave it to --data, which is scored too')
    if unknown := sorted(set(args.fine_tune_on or ()) - set(names)):
        parser.error(f'--fine-tune-on {" ".join(unknown)}: there is only {" ".join(names)}')
    if args.imagenet_weights and not args.imagenet_weights.is_file():
        parser.error(f'--imagenet-weights {args.imagenet_weights} does not exist; give a file that torchvision wrote')


def split(parser: argparse.ArgumentParser, option: str, item: str) -> tuple[str, Path]:
    name, equals, path = item.partition('=')
    if not (name and equals and path):
        parser.error(f'{option} {item} is not of the form NAME=PATH')
    return name, Path(path)


def find_configs(methods: Iterable[str], backbones: Iterable[str], others: list[tuple[str, Path]]) -> dict[str, Path]:
    """The config of each method that pretrains.

    Raises:
        ValueError: If there is none, or two of one name.
    """
    found = {}
    for method in methods:
        files = [CONFIGS / method / f'{method}_{backbone}_ucmerced.py' for backbone in backbones]
        file = next((file for file in files if file.is_file()), None)
        if file is None:
            known = sorted({path.parent.name for b in backbones for path in CONFIGS.glob(f'*/*_{b}_ucmerced.py')})
            raise ValueError(
                f'--methods {method}: there is no {" or ".join(str(f.relative_to(CONFIGS.parent)) for f in files)}; '
                f'there are {", ".join([*known, *SPECIAL])}, and --configs NAME=FILE takes any other'
            )
        found[method] = file
    for name, file in others:
        if name in found:
            raise ValueError(f'--configs {name}={file}: {name} is already a method; choose another name')
        if not file.is_file():
            raise ValueError(f'--configs {name}={file}: there is no such file; correct the path')
        found[name] = file
    return found


def backbone_of(file: Path) -> str:
    """``r18`` of ``byol_r18_ucmerced.py``; the whole stem of a file of another form."""
    parts = file.stem.split('_')
    return parts[1] if len(parts) == 3 else file.stem


def read_config(file: Path) -> Config:
    cfg = Config.fromfile(file)
    if 'size' not in cfg:
        raise ValueError(f'{file} does not say the side of its views; set size=... in it, which images are scored at')
    return cfg


def imagenet_file(backbone: str, given: Path | None) -> Path | str:
    """Torchvision's file of a backbone, or why there is none."""
    if backbone not in TORCHVISION:
        return f"torchvision's weights of {backbone} have other names than mmpretrain's; only ResNets can be a row"
    if given is not None:
        return given
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    files = sorted(folder.glob(f'{TORCHVISION[backbone]}-*.pth'))
    return (
        files[-1]
        if files
        else (
            f'{folder} holds no {TORCHVISION[backbone]}-*.pth, and nothing is downloaded; give --imagenet-weights FILE'
        )
    )


def list_cells(
    args: argparse.Namespace, configs: dict[str, Path], scenes: dict[str, Scenes]
) -> tuple[list[Cell], dict[str, str], list[str]]:
    """All cells, the backbone of each method, and what the reader must know of rows that are missing."""
    # Rows that pretrain on nothing need a config for the size of images and the backbone.
    plain = {name: read_config(file) for name, file in (configs or find_configs(['cmid'], args.backbone, [])).items()}
    backbones = {name: backbone_of(Path(cfg.filename)) for name, cfg in plain.items()}
    rows, notes = rows_without_pretraining(args, plain, backbones)
    evaluation = Evaluation(
        tuple(args.shots), args.fine_tune_steps, tuple(args.fine_tune_on or scenes) if args.fine_tune_steps else ()
    )
    make = partial(make_cell, args.work_dir, scored=tuple(scenes.values()), evaluation=evaluation, workers=args.workers)
    pretrained = {named(name, rate): (name, rate) for name in configs for rate in args.rates}
    cells = []
    for seed in args.seeds:
        cells += [make(row.name, row.kind, seed, row.cfg, weights=row.weights) for row in rows]
        for method, (name, rate) in pretrained.items():
            for data, _ in args.data:
                fitted = fit(plain[name], scenes[data], rate, args)
                cells.append(make(method, PRETRAINED, seed, fitted, data=scenes[data], minutes=args.minutes))
    backbones |= {method: backbones[name] for method, (name, _) in pretrained.items()}
    return cells, backbones | {row.name: row.backbone for row in rows}, notes


def named(method: str, rate: float) -> str:
    """What the row of a method at a factor of its config's learning rate is called."""
    return method if rate == 1 else f'{method}, rate x {rate:g}'


def rows_without_pretraining(
    args: argparse.Namespace, plain: dict[str, Config], backbones: dict[str, str]
) -> tuple[list[PlainRow], list[str]]:
    """The rows that stand beside those of pretraining, and why some are missing."""
    rows = [PlainRow('colour histogram', HISTOGRAM, '-', next(iter(plain.values())))]
    notes = []
    for number, backbone in enumerate(dict.fromkeys(backbones.values())):
        # Where there are several backbones, those of the first row need no further name.
        suffix = f' {backbone}' if number else ''
        cfg = next(plain[name] for name, own in backbones.items() if own == backbone)
        if 'untrained' in args.methods:
            rows.append(PlainRow(f'untrained{suffix}', UNTRAINED, backbone, cfg))
        if 'imagenet' in args.methods:
            file = imagenet_file(backbone, args.imagenet_weights)
            if isinstance(file, str):
                notes.append(f'imagenet{suffix} is left out: {file}')
                continue
            cfg = copy.deepcopy(cfg)
            cfg.model.data_preprocessor = dict(IMAGENET_NORMALISATION)
            rows.append(PlainRow(f'imagenet{suffix}', LOADED, backbone, cfg, str(file)))
    return rows, notes


def fit(cfg: Config, data: Scenes, rate: float, args: argparse.Namespace) -> Config:
    """A method's config on these images under the budget; one of time is fitted when a cell has timed its steps."""
    cfg = copy.deepcopy(cfg)
    fit_to_images(cfg, data.root, data.list_file, data.images, args.batch_size, args.scale_lr)
    cfg.optim_wrapper.optimizer.lr *= rate
    use_fast_precision(cfg)
    if args.budget == 'images':
        fit_to_short_run(cfg, data.images // args.batch_size, args.epochs)
    return cfg


def describe(args: argparse.Namespace, scenes: dict[str, Scenes], command: str) -> dict[str, str]:
    """What a reader needs to repeat the run and to read its tables."""
    budget = f'{args.epochs} x the images' if args.budget == 'images' else f'{args.minutes:g} minutes'
    return {
        'Command': f'`{command}`',
        'Budget': f'the same {args.budget} for all: {budget} of pretraining, batch {args.batch_size}; learning rates '
        f'from the batch of their configs by the {args.scale_lr} rule',
        **{
            name: f'{one.images:,} images to learn from, {one.held_back:,} held back and scored'
            for name, one in scenes.items()
        },
        'Seeds': ', '.join(map(str, args.seeds)),
        'Fine-tuning': f'{args.fine_tune_steps} steps of the whole network' if args.fine_tune_steps else 'none',
        **environment(),
    }


def compare(args: argparse.Namespace, command: str) -> int:
    """Run what is missing, and write the tables after each cell; returns the number of cells that failed."""
    init_default_scope('mmpretrain')
    configs = find_configs((name for name in args.methods if name not in SPECIAL), args.backbone, args.configs)
    args.work_dir.mkdir(parents=True, exist_ok=True)
    scenes = {name: find_scenes(name, str(folder), args.work_dir, BAR) for name, folder in args.data + args.transfer}
    cells, backbones, notes = list_cells(args, configs, scenes)
    failed: dict[Cell, str] = {}
    missing = [cell for cell in cells if not cell.finished()]
    print(f'{len(cells)} cells, {len(missing)} of them to run', flush=True)

    facts = describe(args, scenes, command)

    def write(pictures: bool) -> str:
        return comparison.write(args.work_dir, cells, backbones, failed, notes, facts, pictures)

    with BAR('cells', len(missing)) as bar:

        def finished(cell: Cell, reason: str | None) -> None:
            if reason:
                failed[cell] = reason
                print(f'{cell.method}, seed {cell.seed} failed: {reason}', file=sys.stderr, flush=True)
            write(pictures=False)
            bar.advance(note=f'{cell.method}, seed {cell.seed}')

        run_cells(missing, args.jobs, finished)
    print(write(pictures=True))
    return len(failed)


def main() -> None:
    args = parse_args()
    try:
        failed = compare(args, shlex.join(['tools/benchmark/compare.py', *sys.argv[1:]]))
    except (OSError, ValueError) as error:
        sys.exit(f'compare: {error}')
    except KeyboardInterrupt:
        print('compare: stopped; the same command goes on', file=sys.stderr)
        sys.exit(130)
    if failed:
        sys.exit(f'compare: {failed} cells failed; the same command tries them again')


if __name__ == '__main__':
    main()
