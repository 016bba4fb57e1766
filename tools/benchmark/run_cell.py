"""The process of one cell: makes its backbone and scores it, piece by piece; started by cells.run_cells."""

import math
import os
import shutil
import sys
import threading
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from cells import (
    HISTOGRAM,
    LOADED,
    PRETRAINED,
    SPLIT_SEED,
    Cell,
    Scenes,
    normalisation_of,
    read_cell,
    read_piece,
    read_recipe,
    read_scenes,
    write_piece,
)
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed
from mmpretrain.registry import MODELS
from process_memory import memory_mb

from cmid_mm.checkpoints import extract_backbone, load_checkpoint, load_strictly
from cmid_mm.datasets import UnlabelledImages
from cmid_mm.engine.environment import environment
from cmid_mm.engine.image_fitting import fit_queues
from cmid_mm.engine.short_run import fit_to_short_run
from cmid_mm.evaluation import ImageSet, colour_histograms, extract_features, score_features
from cmid_mm.evaluation.few_shot import few_shot_accuracies
from cmid_mm.evaluation.fine_tuning import fine_tune
from cmid_mm.visualization.progress import ProgressBar

BAR = partial(ProgressBar, every_seconds=60)
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
# Steps whose time says how many epochs a budget of minutes affords: the first ones wait for workers to start.
UNTIMED, TIMED = 4, 12


class RunRecord(Hook):
    """Count what a run takes, over all its starts; one whose weights have diverged fails.

    Attributes:
        images (int): Images taken from the loader, each once whatever the number of its views.
        seconds (float): Wall time from the first step to now, checkpoints included.
        peak_memory_mb (float): Largest memory: of the device, or on CPUs of this process without its workers.
        times (list[float]): Clock after each step of this start.
    """

    # Before CheckpointHook, so that a checkpoint counts its own step.
    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.images = 0
        self.seconds = self.peak_memory_mb = 0.0
        self.times: list[float] = []

    def before_train(self, runner: Runner) -> None:
        self.started = time.monotonic() - self.seconds

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        self.images += len(data_batch['data_samples'])
        self.times.append(time.monotonic())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['record'] = self.figures()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        for name, value in checkpoint['record'].items():
            setattr(self, name, value)

    def after_train(self, runner: Runner) -> None:
        broken = [name for name, value in runner.model.state_dict().items() if not value.isfinite().all()]
        if broken:
            raise FloatingPointError(f'after the last step {broken[0]} holds NaN or infinite values')

    def figures(self) -> dict[str, float]:
        """What the run has taken so far."""
        memory = torch.cuda.max_memory_allocated() / 2**20 if DEVICE == 'cuda' else memory_mb('VmHWM')
        self.peak_memory_mb = max(self.peak_memory_mb, memory)
        self.seconds = time.monotonic() - self.started
        return dict(images=self.images, seconds=self.seconds, peak_memory_mb=self.peak_memory_mb)


def end_with(parent: int) -> None:
    """End this process when the pipe ``parent`` closes, as it does when the process at its other end is killed."""

    def watch() -> None:
        # Not through sys.stdin, whose lock a forked worker would inherit, held by nobody.
        os.read(parent, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def affordable_epochs(cell: Cell, steps: int) -> int:
    """Epochs that take as many minutes as the cell has, by the time of a few steps; measured once a cell."""
    file = Path(cell.folder, 'epochs.json')
    if not file.is_file():
        cfg = Config.fromfile(cell.config)
        few = min(UNTIMED + TIMED, steps)
        images = few * cfg.train_dataloader.batch_size
        cfg.train_dataloader.dataset.indices = images
        fit_queues(cfg, images)
        fit_to_short_run(cfg, few, math.ceil((UNTIMED + TIMED) / few))
        cfg.default_hooks.checkpoint = None
        cfg.work_dir = str(Path(cell.folder, 'timing'))
        times = train(cfg, 'timing').times
        seconds = (times[-1] - times[UNTIMED - 1]) / (len(times) - UNTIMED)
        shutil.rmtree(cfg.work_dir)
        write_piece(file, dict(epochs=max(1, int(60 * cell.minutes / (seconds * steps))), seconds_per_step=seconds))
    return read_piece(file)['epochs']


def train(cfg: Config, name: str) -> RunRecord:
    """Pretrain, from the last checkpoint if there is one; returns what it took."""
    cfg.resume = True
    cfg.log_level = 'WARNING'
    cfg.experiment_name = f'{name}_{os.path.abspath(cfg.work_dir)}'.replace(os.sep, '_')
    runner, record = Runner.from_cfg(cfg), RunRecord()
    runner.register_hook(record)
    runner.train()
    return record


def pretrain(cell: Cell, backbone: Path, size: int) -> dict:
    """Train and extract; returns what it took."""
    cfg = Config.fromfile(cell.config)
    steps = cell.data.images // cfg.train_dataloader.batch_size
    if cell.minutes is not None:
        fit_to_short_run(cfg, steps, affordable_epochs(cell, steps))
    epochs = cfg.train_cfg.max_epochs
    # Two are kept: mmengine removes the older one before it has written the newer.
    cfg.default_hooks.checkpoint = dict(type='WholeCheckpointHook', interval=max(1, epochs // 20), max_keep_ckpts=2)
    record = train(cfg, 'pretraining')
    extract_backbone(Path(cfg.work_dir, 'last_checkpoint').read_text().strip(), backbone, image_size=size)
    for checkpoint in Path(cfg.work_dir).glob('*.pth'):
        checkpoint.unlink()
    return dict(record.figures(), epochs=epochs, steps=epochs * steps)


def begin_untrained(cell: Cell, backbone: Path, size: int) -> dict:
    """Extract the backbone that pretraining with the cell's config would begin with."""
    cfg = Config.fromfile(cell.config)
    set_random_seed(cell.seed)
    model = MODELS.build(dict(cfg.model))
    model.init_weights()
    checkpoint = backbone.with_name('untrained.pth')
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text)), checkpoint)
    extract_backbone(checkpoint, backbone, image_size=size)
    checkpoint.unlink()
    return {}


def take_weights(cell: Cell, backbone: Path) -> dict:
    """Write torchvision's weights of a ResNet as an extracted backbone; the names are the same."""
    config = dict(type='ResNet', depth=Config.fromfile(cell.config).model.backbone.depth)
    model = MODELS.build(dict(config))
    load_strictly(model, load_checkpoint(cell.weights), cell.weights, unused=('fc.',))
    torch.save(dict(state_dict=model.state_dict(), meta=dict(backbone=config)), backbone)
    return {}


def make_backbone(cell: Cell, backbone: Path, size: int) -> dict:
    """Make the backbone by the cell's kind; a divergence is a result like any other."""
    if cell.kind == HISTOGRAM:
        return {}
    if cell.kind == LOADED:
        return take_weights(cell, backbone)
    if cell.kind != PRETRAINED:
        return begin_untrained(cell, backbone, size)
    try:
        return pretrain(cell, backbone, size)
    except FloatingPointError as error:
        return dict(error=f'diverged: {error}')


def score_frozen(cell: Cell, images: ImageSet, backbone: Path, options: dict) -> dict:
    """All scores of frozen features; those that cannot be computed are a result too."""
    if cell.kind == HISTOGRAM:
        values = colour_histograms(images.pixels)
    else:
        file = load_checkpoint(backbone)
        model = MODELS.build(dict(file['meta']['backbone']))
        load_strictly(model, file, str(backbone))
        values = extract_features(model, images.pixels, device=DEVICE, **options).values
    split = (values, images.labels, images.scored, images.test)
    try:
        scores = asdict(score_features(cell.method, *split, SPLIT_SEED))
        few = few_shot_accuracies(*split, shots=cell.evaluation.shots, seed=cell.seed)
    except ValueError as error:
        return dict(error=str(error))
    smallest = int(np.bincount(images.labels[images.scored]).min())
    return scores | {f'{k}-shot': accuracy for k, accuracy in few.items()} | dict(smallest_class=smallest)


def score_fine_tuned(cell: Cell, scenes: Scenes, images: ImageSet, backbone: Path, options: dict) -> dict:
    """The score after fine-tuning."""
    work_dir = cell.fine_tuned(scenes).with_suffix('')
    config = load_checkpoint(backbone)['meta']['backbone']
    config = dict(config, init_cfg=dict(type='Pretrained', checkpoint=str(backbone)))
    index = UnlabelledImages(scenes.root, cache=str(work_dir / 'index')).index
    paths = [index[int(place)] for place in images.places]
    steps = cell.evaluation.fine_tune_steps
    shutil.rmtree(work_dir, ignore_errors=True)
    try:
        accuracy = fine_tune(
            read_recipe(), config, paths, images, steps=steps, seed=cell.seed, work_dir=work_dir, **options
        )
    except FloatingPointError as error:
        return dict(error=str(error))
    return dict(fine_tuned=accuracy)


def run_cell(cell: Cell) -> None:
    """Do what is missing of the cell."""
    init_default_scope('mmpretrain')
    cfg = Config.fromfile(cell.config)
    options = dict(normalisation_of(cfg), size=cfg.size)
    backbone = Path(cell.folder, 'backbone.pth')
    if not cell.made.is_file():
        facts = dict(batch_size=cfg.train_dataloader.batch_size, size=cfg.size, **environment())
        write_piece(cell.made, facts | make_backbone(cell, backbone, cfg.size))
    if read_piece(cell.made).get('error'):
        return
    for scenes in cell.scored:
        frozen, fine_tuned = cell.frozen(scenes), cell.fine_tuned(scenes)
        if frozen.is_file() and (fine_tuned is None or fine_tuned.is_file()):
            continue
        images = read_scenes(scenes.root, cfg.size, Path(cell.folder).parents[3], BAR)
        if not frozen.is_file():
            write_piece(frozen, score_frozen(cell, images, backbone, options))
        if fine_tuned is not None and not fine_tuned.is_file():
            write_piece(fine_tuned, score_fine_tuned(cell, scenes, images, backbone, options))


if __name__ == '__main__':
    end_with(sys.stdin.fileno())
    run_cell(read_cell(Path(sys.argv[1])))
