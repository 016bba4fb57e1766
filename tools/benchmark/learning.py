"""What pretraining is worth, and each of CMID's branches: k-NN and linear probe under one budget, over several seeds.

    tools/benchmark/learning.py --data ucmerced=../shared/data/ucmerced --epochs 3 --jobs 2

Every variant sees the same images, the same budget and the same split. A fifth of every class is held back from
pretraining and scored; labels are used for scoring alone. tools/benchmark/compare.py compares CMID with other methods.
"""

import argparse
import json
import shlex
import sys
from functools import partial
from pathlib import Path

import numpy as np
from cells import HISTOGRAM, PRETRAINED, UNTRAINED, Cell, Scenes, find_scenes, make_cell, read_piece, run_cells
from mmengine.config import Config
from mmengine.registry import init_default_scope

from cmid_mm.engine.environment import environment
from cmid_mm.engine.image_fitting import fit_to_images
from cmid_mm.engine.short_run import fit_to_short_run, use_fast_precision
from cmid_mm.visualization.progress import ProgressBar

LEFT_OUT = {
    'CMID': None,
    'without reconstruction': 'reconstruction_head',
    'without global': 'global_head',
    'without local': 'local_head',
}
KINDS = {'colour histogram': HISTOGRAM, 'untrained': UNTRAINED}
VARIANTS = (*KINDS, *LEFT_OUT)
# What is printed of a score, in which unit, with how many digits.
COLUMNS = (('knn', 100, 1), ('linear_probe', 100, 1), ('spread', 1, 2), ('effective_rank', 1, 0))
BAR = partial(ProgressBar, every_seconds=60)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', nargs='+', required=True, metavar='NAME=FOLDER', help='folders of class folders')
    parser.add_argument('--config', default='configs/cmid/cmid_r18_demo.py', help='what to pretrain')
    parser.add_argument('--epochs', type=int, default=3, help='the budget')
    parser.add_argument('--batch-size', type=int, help="the config's if not given")
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--variants', nargs='+', choices=VARIANTS, default=VARIANTS)
    parser.add_argument('--jobs', type=int, default=1, help='models trained at once; they share the cores')
    parser.add_argument(
        '--work-dir', type=Path, default='work_dirs/learning', help='finished models there are not trained again'
    )
    parser.add_argument('--json', type=Path, help='write the scores there too')
    args = parser.parse_args()
    for item in args.data:
        if not Path(item.partition('=')[2]).is_dir():
            parser.error(f'--data {item} is not NAME=FOLDER of an existing folder')
    return args


def cell_of(args: argparse.Namespace, data: Scenes, variant: str, seed: int) -> Cell:
    """The cell of one model."""
    cfg = Config.fromfile(args.config)
    kind = KINDS.get(variant, PRETRAINED)
    # The untrained network is CMID's before its first step; the length of the queue decides what is drawn after it.
    fit_to_images(cfg, data.root, data.list_file, data.images, args.batch_size)
    use_fast_precision(cfg)
    fit_to_short_run(cfg, data.images // cfg.train_dataloader.batch_size, args.epochs)
    if head := LEFT_OUT.get(variant):
        cfg.model[head] = None
    return make_cell(args.work_dir, variant, kind, seed, cfg, data=data, scored=[data])


def result_of(cell: Cell) -> dict:
    """Everything that is known of a finished cell.

    Raises:
        RuntimeError: If its training diverged, or its features cannot be scored.
    """
    result = read_piece(cell.made)
    if 'error' not in result:
        result |= read_piece(cell.frozen(cell.data))
    if 'error' in result:
        raise RuntimeError(f'{cell.method}, seed {cell.seed} on {cell.data.name}: {result["error"]}')
    facts = dict(data=cell.data.name, seed=cell.seed, unlabelled=cell.data.images, held_back=cell.data.held_back)
    return result | facts


def results_of(cells: list[Cell], jobs: int) -> list[dict]:
    """Run the cells that have no result yet, several at once."""
    waiting = [cell for cell in cells if not cell.finished()]
    with BAR('models', len(waiting) or 1) as bar:

        def finished(cell: Cell, reason: str | None) -> None:
            if reason:
                raise RuntimeError(f'{cell.method}, seed {cell.seed} on {cell.data.name} failed: {reason}')
            bar.advance()

        run_cells(waiting, jobs, finished)
    return [result_of(cell) for cell in cells]


def table(results: list[dict], variants: list[str]) -> str:
    """Markdown: mean and standard deviation over the seeds, in percent."""
    lines = ['| pretraining | steps | 10-NN | linear probe | spread | effective rank |', '|---|---|---|---|---|---|']
    for variant in variants:
        scores = [result for result in results if result['name'] == variant]
        if not scores:
            continue
        cells = []
        for key, factor, digits in COLUMNS:
            values = factor * np.array([score[key] for score in scores])
            spread = f' ± {values.std(ddof=1):.{digits}f}' if len(values) > 1 else ''
            cells.append(f'{values.mean():.{digits}f}{spread}')
        lines.append(f'| {variant} | {scores[0].get("steps", 0)} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def compare(args: argparse.Namespace) -> None:
    """Run what is missing and print the tables."""
    init_default_scope('mmpretrain')
    args.work_dir.mkdir(parents=True, exist_ok=True)
    scenes = [
        find_scenes(name, folder, args.work_dir, BAR) for name, _, folder in (item.partition('=') for item in args.data)
    ]
    cells = [
        cell_of(args, data, variant, seed)
        for data in scenes
        for seed in args.seeds
        for variant in args.variants
        # A histogram has no weights to seed.
        if variant != 'colour histogram' or seed == args.seeds[0]
    ]
    results = results_of(cells, args.jobs)
    print('', shlex.join(['tools/benchmark/learning.py', *sys.argv[1:]]), *environment().values(), sep='\n')
    for data in scenes:
        own = [result for result in results if result['data'] == data.name]
        facts = own[-1]
        print(
            f'\n{data.name}: {data.images} images without labels, {data.held_back} held back and scored; '
            f'{args.epochs} epochs, batch {facts["batch_size"]}, {facts["size"]} px; '
            f'mean ± deviation over seeds {args.seeds}\n'
        )
        print(table(own, args.variants))
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


def main() -> None:
    args = parse_args()
    try:
        compare(args)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f'learning: {error}')


if __name__ == '__main__':
    main()
