"""Pretrain a small CMID, score what it learned, and write a report with pictures: tools/demo.py [--data FOLDER]."""

import argparse
import contextlib
import copy
import io
import json
import logging
import math
import shlex
import sys
import time
import warnings
from dataclasses import asdict
from functools import partial
from itertools import chain, islice, repeat
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn

# OpenMMLab says on import which compiled ops are missing; the demo uses none of them.
with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
    warnings.simplefilter('ignore')
    from mmpretrain.registry import MODELS, TRANSFORMS

    from cmid_mm.checkpoints import CheckpointError, extract_backbone, load_checkpoint
    from cmid_mm.datasets import seeded
    from cmid_mm.datasets.scenes import replace_scenes
    from cmid_mm.engine.environment import cores, environment
    from cmid_mm.engine.hooks import ProgressBarHook
    from cmid_mm.engine.image_fitting import fit_queues
    from cmid_mm.engine.short_run import fit_to_short_run, use_fast_precision
    from cmid_mm.evaluation import ImageSet, Score, colour_histograms, extract_features, read_image_set, score_features
    from cmid_mm.visualization.loss_curves import draw_loss_curves, read_scalars
    from cmid_mm.visualization.neighbours import draw_neighbours, nearest, spread_queries
    from cmid_mm.visualization.progress import ProgressBar, StageClock
    from cmid_mm.visualization.reconstructions import draw_reconstructions, paint
    from cmid_mm.visualization.report import Picture, score_table, write_report

CONFIG = Path('configs/cmid/cmid_r18_demo.py')
SCENE_SIZE = 128
FEWEST_IMAGES = 32
FEWEST_STEPS = 560
MOST_MINUTES = 8.5
BAR = partial(ProgressBar, every_seconds=10)
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


class KeepInitialBackbone(Hook):
    """Keep the weights that the student had before the first step, to score them untrained."""

    def before_train(self, runner: Runner) -> None:
        self.state = copy.deepcopy(runner.model.backbone.state_dict())


class QuietRunner(Runner):
    """A Runner whose console shows warnings alone; the log file has all lines."""

    def build_logger(self, *args, **kwargs) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.setLevel(logging.WARNING)
                # mmengine deprecates its own parts, about which the user can do nothing.
                handler.addFilter(lambda record: 'deprecated' not in record.getMessage())
        return logger


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, help='folder of your own images; sub-folders are classes (default: draw)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'), help='where everything is written')
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        '--minutes', type=float, help=f'pretrain as long as this (default: {FEWEST_STEPS} steps, {MOST_MINUTES:g} min)'
    )
    length.add_argument('--epochs', type=int, help='pretrain this many epochs, however long it takes')
    parser.add_argument('--scenes', type=int, default=1600, help='scenes to draw where there is no --data')
    parser.add_argument('--seed', type=int, default=0, help='of the weights, the order and the split')
    args = parser.parse_args(arguments)
    if args.minutes is not None and args.minutes <= 0:
        parser.error(f'--minutes {args.minutes:g} leaves no time; give more than 0')
    if args.epochs is not None and args.epochs < 1:
        parser.error(f'--epochs {args.epochs} trains nothing; give 1 or more')
    if args.scenes < FEWEST_IMAGES:
        parser.error(f'--scenes {args.scenes} are too few; give {FEWEST_IMAGES} or more')
    if args.seed < 0:
        parser.error(f'--seed {args.seed} is negative; give a number from 0')
    return args


def draw_scenes(folder: Path, count: int) -> Path:
    """Draw the scenes, or take those of an earlier run; the seed of a run does not change them."""
    replace_scenes(folder, count, size=SCENE_SIZE, seed=0, tasks=['classification'], workers=cores())
    return folder / 'classification'


def demo_config(images: ImageSet, args: argparse.Namespace) -> Config:
    """Fit the demo's config to the images and to the time there is."""
    # Beside tools/, in the checkout as in the installed package.
    cfg = Config.fromfile(Path(__file__).resolve().parents[1] / CONFIG)
    cfg.work_dir = str(args.work_dir / 'pretrain')
    cfg.randomness = dict(seed=args.seed)
    loader = cfg.train_dataloader
    loader.dataset.update(
        data_root=str(images.root),
        indices=images.places[images.train].tolist(),
        cache=str(args.work_dir / 'index'),
    )
    loader.pin_memory = DEVICE == 'cuda'
    loader.batch_size = min(loader.batch_size, len(images.train))
    fit_queues(cfg, len(images.train))

    use_fast_precision(cfg)  # before steps are timed
    steps = len(images.train) // loader.batch_size
    if args.epochs:
        epochs = args.epochs
    else:
        affordable = max(1, int((args.minutes or MOST_MINUTES) * 60 / (seconds_per_step(cfg) * steps)))
        # A small folder needs more epochs for as many steps as the drawn scenes give.
        wanted = max(cfg.train_cfg.max_epochs, math.ceil(FEWEST_STEPS / steps))
        epochs = affordable if args.minutes else min(wanted, affordable)
    fit_to_short_run(cfg, steps, epochs)
    cfg.default_hooks.checkpoint = dict(type='WholeCheckpointHook', interval=epochs, max_keep_ckpts=1)
    cfg.default_hooks.logger.interval = cfg.log_processor.window_size = max(1, min(10, steps, epochs * steps // 40))
    return cfg


def seconds_per_step(cfg: Config, unmeasured: int = 2, measured: int = 6) -> float:
    """Time a few training steps of a model that is thrown away."""
    model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor}).to(DEVICE).train()
    model.set_max_steps(unmeasured + measured)
    optimizer = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
    loader = Runner.build_dataloader(copy.deepcopy(cfg.train_dataloader), seed=0)
    with BAR('timing a few steps', unmeasured + measured) as bar:
        for step, batch in enumerate(islice(chain.from_iterable(repeat(loader)), unmeasured + measured)):
            if step == unmeasured:
                started = time.monotonic()
            model.train_step(batch, optimizer)
            model.update_teachers()
            bar.advance()
    return (time.monotonic() - started) / measured


def pretrain(cfg: Config) -> tuple[QuietRunner, dict[str, torch.Tensor]]:
    """Train; return the runner, and the state that the student's backbone began with."""
    runner = QuietRunner.from_cfg(cfg)
    initial = KeepInitialBackbone()
    runner.register_hook(initial)
    runner.register_hook(ProgressBarHook())
    runner.train()
    return runner, initial.state


def backbones(runner: QuietRunner, initial: dict[str, torch.Tensor], work_dir: Path) -> dict[str, nn.Module]:
    """Extract the backbone as a task would, and build the same class with the weights it began with."""
    checkpoint = Path(runner.work_dir, 'last_checkpoint').read_text().strip()
    file = load_checkpoint(extract_backbone(checkpoint, work_dir / 'backbone.pth', image_size=64))
    models = {name: MODELS.build(dict(file['meta']['backbone'])) for name in ('untrained', 'CMID')}
    models['CMID'].load_state_dict(file['state_dict'])
    models['untrained'].load_state_dict({name: initial[name].cpu() for name in file['state_dict']})
    return models


def all_features(models: dict[str, nn.Module], images: ImageSet, cfg: Config) -> dict[str, np.ndarray]:
    """Features ``(n, C)`` of every image by name of what computed them."""
    features = {'colour histogram': colour_histograms(images.pixels)}
    options = dict(size=cfg.size, device=DEVICE, mean=cfg.data_preprocessor.mean, std=cfg.data_preprocessor.std)
    for name, model in models.items():
        with BAR(f'features of {name}', len(images.pixels)) as bar:
            features[name] = extract_features(model, images.pixels, progress=bar.advance, **options).values
    return features


def score(features: dict[str, np.ndarray], images: ImageSet, seed: int) -> list[Score]:
    """Score all features where there are classes."""
    if images.labels is None:
        return []
    scores = []
    with BAR('k-NN and linear probes', len(features)) as bar:
        for name, values in features.items():
            scores.append(score_features(name, values, images.labels, images.scored, images.test, seed))
            bar.advance()
    return scores


def draw(
    runner: QuietRunner, features: dict[str, np.ndarray], images: ImageSet, seed: int, report: Path
) -> list[Picture]:
    """Draw the pictures of the report."""
    report.mkdir(parents=True, exist_ok=True)
    window = draw_loss_curves(read_scalars([Path(runner.log_dir, 'vis_data', 'scalars.json')]), report / 'losses.png')
    labels = None if images.labels is None else images.labels[images.test]
    queries = images.test[spread_queries(labels, len(images.test), 6, seed)]
    _draw_reconstructions(runner, images.pixels[queries], seed, report / 'reconstructions.jpg')
    for name, file in (('CMID', 'neighbours.jpg'), ('untrained', 'neighbours_untrained.jpg')):
        found = nearest(features[name], queries)
        draw_neighbours(images.pixels, queries, found, report / file, images.labels, images.classes)
    coloured = '' if labels is None else ' Green and a tick: the same class as the query; red and a cross: another one.'
    held_back = 'None of these images was seen in pretraining. ' if labels is not None else ''
    return [
        Picture(
            'losses.png',
            'Losses',
            f'The loss and its parts over the iterations. Pale: averages of {runner.log_processor.window_size} '
            f'iterations; dark: the mean of {window} of these, whose last value is in the title. The loss against the '
            'queue first rises, while the queue fills with real images, and the local loss moves with the temperature '
            'of the teacher; the reconstruction losses (spatial, frequency) should simply fall.',
        ),
        Picture(
            'reconstructions.jpg',
            'Reconstructions',
            f'{held_back}From left to right: the image; what the network saw, with masked blocks filled with the mean '
            'colour; what it painted; and its painting in the masked blocks alone. After minutes of training expect '
            'colours and large shapes, not detail.',
        ),
        Picture(
            'neighbours.jpg',
            'Nearest neighbours',
            f'In each row an image in a black frame and the six others with the most similar CMID features.{coloured}',
        ),
        Picture(
            'neighbours_untrained.jpg',
            'Nearest neighbours of the untrained network',
            'The same images, before pretraining: what the architecture alone finds similar.',
        ),
    ]


def _draw_reconstructions(runner: QuietRunner, pixels: np.ndarray, seed: int, out: Path) -> None:
    block_mask = next(step for step in runner.cfg.crop_and_mask if step['type'] == 'BlockMask')
    with seeded(seed):
        mask = np.stack([TRANSFORMS.build(dict(block_mask))({})['mask'] for _ in pixels])
    normalisation = runner.cfg.data_preprocessor.mean, runner.cfg.data_preprocessor.std
    seen, painted = paint(runner.model.eval(), pixels, mask, *normalisation, DEVICE)
    draw_reconstructions(pixels, seen, painted, mask, out)


def result(scores: list[Score], images: ImageSet) -> tuple[str, str]:
    """Say the result in a sentence, and what the scores mean."""
    if not scores:
        return (
            f'CMID was pretrained on {len(images.train):,} images. They lie in no sub-folders that could be classes, '
            'so the pictures below say what it learned.',
            'No scores: they need at least 2 sub-folders with 5 or more images each.',
        )
    knn = {score.name: f'{100 * score.knn:.1f} %' for score in scores}
    chance = np.bincount(images.labels[images.test]).max() / len(images.test)
    lead = (
        f'10-nearest-neighbour accuracy is {knn["CMID"]} after pretraining without labels; the same network untrained '
        f'has {knn["untrained"]}, a colour histogram {knn["colour histogram"]}, and guessing {100 * chance:.1f} %.'
    )
    text = (
        f'Accuracy on {len(images.test):,} images held back from everything, with features learned and compared on '
        f'the others. 10-NN: the ten most similar images vote. Linear probe: logistic regression on the frozen '
        'features. Spread is 0 if all images have the same feature and 1 if they point in all directions alike; '
        'rank is the number of directions in use. Both near 0 would mean that the features have collapsed.'
    )
    return lead, text


def run(args: argparse.Namespace, command: str) -> Path:
    """Run the demo.

    Returns:
        Path: The page of the report.
    """
    timer = StageClock()
    init_default_scope('mmpretrain')
    root = args.data
    if root is None:
        with timer.stage('drawing scenes'):
            root = draw_scenes(args.work_dir / 'scenes', args.scenes)
    # The size is the config's; Config.fromfile twice costs nothing.
    size = Config.fromfile(Path(__file__).resolve().parents[1] / CONFIG).size
    with timer.stage('reading images'):
        images = read_image_set(root, size, args.work_dir / 'index', BAR, fewest=FEWEST_IMAGES, seed=args.seed)
    print(images.describe())
    with timer.stage('pretraining'):
        cfg = demo_config(images, args)
        runner, initial = pretrain(cfg)
    with timer.stage('scoring'):
        features = all_features(backbones(runner, initial, args.work_dir), images, cfg)
        scores = score(features, images, args.seed)
    with timer.stage('drawing pictures'):
        pictures = draw(runner, features, images, args.seed, args.work_dir / 'report')
    lead, scores_text = result(scores, images)
    facts = {
        'Command': command,
        'Config': f'{CONFIG}: CMID, ResNet-{cfg.model.backbone.depth}, {size} px, batch '
        f'{cfg.train_dataloader.batch_size}, {runner.max_epochs} epochs, {runner.max_iters} iterations, seed '
        f'{args.seed}; all settings are in {cfg.work_dir}/{CONFIG.name}',
        'Data': images.describe(),
        'Time': str(timer),
    }
    title = 'What CMID learned from ' + ('drawn scenes' if args.data is None else root.resolve().name)
    table = score_table(scores)
    page = write_report(args.work_dir / 'report', title, lead, facts | environment(), table, scores_text, pictures)
    (page.parent / 'scores.json').write_text(json.dumps([asdict(row) for row in scores], indent=2) + '\n')
    print(f'\n{lead}\n')
    for row in scores:
        print(f'{row.name:18}10-NN {100 * row.knn:5.1f} %   linear probe {100 * row.linear_probe:5.1f} %')
    print(f'\nbackbone: {args.work_dir / "backbone.pth"}\nreport:   {page}\ntook:     {timer}')
    return page


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    try:
        run(args, shlex.join(['python', *sys.argv]))
    except (ValueError, OSError, CheckpointError) as error:
        sys.exit(f'demo: {error}')
    except KeyboardInterrupt:
        print('demo: stopped', file=sys.stderr)
        sys.exit(130)


if __name__ == '__main__':
    main()
