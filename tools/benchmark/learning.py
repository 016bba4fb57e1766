"""What pretraining is worth, and each of CMID's branches: k-NN and linear probe under one budget, over several seeds.

    tools/benchmark/learning.py --data ucmerced=../shared/data/ucmerced --epochs 3 --jobs 2

Every variant sees the same images, the same budget and the same split. A fifth of every class is held back from
pretraining and scored; labels are used for scoring alone.
"""

import argparse
import json
import shlex
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed
from mmpretrain.registry import MODELS

from cmid_mm.engine.short_run import fit_to_short_run, use_fast_precision
from cmid_mm.evaluation import colour_histograms, extract_features, read_image_set, score_features
from cmid_mm.visualization.progress import ProgressBar
from cmid_mm.visualization.report import cores, environment

LEFT_OUT = {
    'CMID': None,
    'without reconstruction': 'reconstruction_head',
    'without global': 'global_head',
    'without local': 'local_head',
}
VARIANTS = ('colour histogram', 'untrained', *LEFT_OUT)
SPLIT_SEED = 0
# What is printed of a score, in which unit, with how many digits.
COLUMNS = (('knn', 100, 1), ('linear_probe', 100, 1), ('spread', 1, 2), ('effective_rank', 1, 0))
BAR = partial(ProgressBar, every_seconds=60)


@dataclass(frozen=True)
class Task:
    """One model to train and score."""

    data: str
    root: str
    variant: str
    seed: int
    config: str
    epochs: int
    batch_size: int | None
    threads: int
    work_dir: str


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', nargs='+', required=True, metavar='NAME=FOLDER', help='folders of class folders')
    parser.add_argument('--config', default='configs/cmid/cmid_r18_demo.py', help='what to pretrain')
    parser.add_argument('--epochs', type=int, default=3, help='the budget')
    parser.add_argument('--batch-size', type=int, help="the config's if not given")
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--variants', nargs='+', choices=VARIANTS, default=VARIANTS)
    parser.add_argument('--jobs', type=int, default=1, help='models trained at once; they share the cores')
    parser.add_argument('--work-dir', default='work_dirs/learning', help='finished models there are not trained again')
    parser.add_argument('--json', type=Path, help='write the scores there too')
    args = parser.parse_args()
    for item in args.data:
        if not Path(item.partition('=')[2]).is_dir():
            parser.error(f'--data {item} is not NAME=FOLDER of an existing folder')
    return args


def config_of(task: Task, places: np.ndarray) -> Config:
    cfg = Config.fromfile(task.config)
    cfg.work_dir = task.work_dir
    cfg.randomness.seed = task.seed
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=task.epochs, max_keep_ckpts=1)
    cfg.log_level = 'WARNING'
    loader = cfg.train_dataloader
    loader.batch_size = task.batch_size or loader.batch_size
    loader.dataset.update(data_root=task.root, indices=places.tolist())
    loader.pin_memory = torch.cuda.is_available()
    cfg.model.global_head.queue_size = min(cfg.model.global_head.queue_size, len(places))
    use_fast_precision(cfg)
    fit_to_short_run(cfg, len(places) // loader.batch_size, task.epochs)
    if head := LEFT_OUT.get(task.variant):
        cfg.model[head] = None
    return cfg


def run(task: Task) -> dict:
    """Train and score one model; return its score and what it took."""
    torch.set_num_threads(task.threads)
    init_default_scope('mmpretrain')
    size = Config.fromfile(task.config).size
    images = read_image_set(task.root, size, Path(task.work_dir) / 'index', BAR, seed=SPLIT_SEED)
    cfg = config_of(task, images.places[images.train])
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    started, steps = time.monotonic(), 0
    if task.variant == 'colour histogram':
        values = colour_histograms(images.pixels)
    else:
        if task.variant == 'untrained':
            set_random_seed(task.seed)
            model = MODELS.build(dict(cfg.model))
            model.init_weights()
        else:
            runner = Runner.from_cfg(cfg)
            runner.train()
            model, steps = runner.model, runner.iter
        options = dict(size=size, device=device, mean=cfg.data_preprocessor.mean, std=cfg.data_preprocessor.std)
        values = extract_features(model.backbone, images.pixels, **options).values
    score = score_features(task.variant, values, images.labels, images.scored, images.test, SPLIT_SEED)
    return dict(
        asdict(score),
        task=asdict(task),
        steps=steps,
        batch_size=cfg.train_dataloader.batch_size,
        size=size,
        images=len(images.train),
        held_back=len(images.test),
        seconds=round(time.monotonic() - started, 1),
    )


def results_of(tasks: list[Task], jobs: int) -> list[dict]:
    """Run the tasks that have no result yet, several at once."""
    results, waiting = [], []
    for task in tasks:
        file = Path(task.work_dir, 'score.json')
        former = json.loads(file.read_text()) if file.exists() else {}
        # Where and with how many threads it ran does not change what was learned.
        if former.get('task') == asdict(task) | dict(threads=former.get('task', {}).get('threads')):
            results.append(former)
        else:
            waiting.append(task)
    with ProcessPoolExecutor(jobs, mp_context=get_context('spawn')) as pool, BAR('models', len(waiting) or 1) as bar:
        for future in as_completed([pool.submit(run, task) for task in waiting]):
            result = future.result()
            Path(result['task']['work_dir']).mkdir(parents=True, exist_ok=True)
            Path(result['task']['work_dir'], 'score.json').write_text(json.dumps(result, indent=1))
            results.append(result)
            bar.advance()
    return results


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
        lines.append(f'| {variant} | {scores[0]["steps"]} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    threads = max(1, cores() // args.jobs)
    tasks = [
        Task(
            *(name, folder, variant, seed, args.config, args.epochs, args.batch_size, threads),
            work_dir=str(Path(args.work_dir, name, variant.replace(' ', '_'), f'seed{seed}')),
        )
        for name, _, folder in (item.partition('=') for item in args.data)
        for seed in args.seeds
        for variant in args.variants
        # A histogram has no weights to seed.
        if variant != 'colour histogram' or seed == args.seeds[0]
    ]
    results = results_of(tasks, args.jobs)
    print('', shlex.join(['tools/benchmark/learning.py', *sys.argv[1:]]), *environment().values(), sep='\n')
    for name in dict.fromkeys(task.data for task in tasks):
        own = [result for result in results if result['task']['data'] == name]
        facts = own[0]
        print(
            f'\n{name}: {facts["images"]} images without labels, {facts["held_back"]} held back and scored; '
            f'{args.epochs} epochs, batch {facts["batch_size"]}, {facts["size"]} px; '
            f'mean ± deviation over seeds {args.seeds}\n'
        )
        print(table(own, args.variants))
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == '__main__':
    main()
