"""Short fine-tuning: the whole network learns the classes of a folder, and is scored on the images held back."""

import copy
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from cmid_mm.engine.short_run import use_fast_precision, warm_up_and_cosine

from .features import extract_features
from .image_set import ImageSet


def fine_tune(
    recipe: Config,
    backbone: dict,
    paths: list[str],
    images: ImageSet,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    steps: int,
    seed: int,
    work_dir: str | os.PathLike,
) -> float:
    """Train a classifier from a pretrained backbone, every weight of it, and score it on the images held back.

    Optimizer, rates, batch and head are those of ``recipe``; its images, schedule and length are replaced by those
    given here. The training images are cropped (half of the area or more) and flipped in the eight ways of images
    from above; the test images are squeezed as for every other score.

    Args:
        recipe (Config): Config of an mmpretrain classifier; not changed.
        backbone (dict): Config of the backbone, with an ``init_cfg`` that loads it.
        paths (list[str]): Image files, one for each of ``images``.
        images (ImageSet): With labels; ``scored`` is learned from and ``test`` is scored.
        size (int): Side in pixels.
        mean (Sequence[float]): Of red, green and blue, 0 to 255, as the backbone was pretrained with.
        std (Sequence[float]): The same.
        steps (int): Iterations.
        seed (int): Of the head's start, the order and the crops.
        work_dir (str or PathLike): Folder of the list of images and of the log.

    Returns:
        float: Accuracy from 0 to 1.

    Raises:
        FloatingPointError: If the trained classifier gives NaN or infinite scores.
    """
    work_dir = Path(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    cfg = copy.deepcopy(recipe)
    labelled = work_dir / 'train.txt'
    labelled.write_text(''.join(f'{os.path.abspath(paths[row])} {images.labels[row]}\n' for row in images.scored))
    _fit_data(cfg, labelled, images.classes, size)
    _fit_model(cfg, backbone, len(images.classes), size)
    # LoadAerialImage gives RGB.
    cfg.model.data_preprocessor.update(num_classes=len(images.classes), mean=list(mean), std=list(std), to_rgb=False)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=steps)
    cfg.param_scheduler = warm_up_and_cosine(steps)
    # The figures are the result; the weights are not kept.
    cfg.default_hooks.checkpoint = None
    cfg.randomness = dict(seed=seed)
    cfg.log_level = 'WARNING'
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'fine_tuning_{os.path.abspath(work_dir)}'.replace(os.sep, '_')
    use_fast_precision(cfg)
    runner = Runner.from_cfg(cfg)
    runner.train()

    options = dict(size=size, device='cuda' if torch.cuda.is_available() else 'cpu', mean=mean, std=std)
    scores = extract_features(_Scores(runner.model), images.pixels[images.test], **options).values
    if not np.isfinite(scores).all():
        raise FloatingPointError(f'fine-tuning diverged: the classifier in {work_dir} gives NaN or infinite scores')
    return float((scores.argmax(axis=1) == images.labels[images.test]).mean())


class _Scores(nn.Module):
    """A classifier as a function of normalised images alone."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, inputs: Tensor) -> Tensor:
        return self.classifier(inputs, mode='tensor')


def _fit_data(cfg: Config, labelled: Path, classes: list[str], size: int) -> None:
    pipeline = [
        dict(type='LoadAerialImage', crop_size=size, min_area=0.5),
        dict(type='RandomResizedCrop', scale=size, crop_ratio_range=(0.5, 1.0)),
        dict(type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']),
        dict(type='PackInputs'),
    ]
    cfg.train_dataloader = dict(
        batch_size=cfg.train_dataloader.batch_size,
        # In this process: what workers draw depends on how many there are.
        num_workers=0,
        sampler=dict(type='InfiniteSampler', shuffle=True),
        dataset=dict(type='CustomDataset', ann_file=str(labelled), classes=classes, pipeline=pipeline),
    )
    for part in ('val', 'test'):
        for name in (f'{part}_dataloader', f'{part}_cfg', f'{part}_evaluator'):
            cfg[name] = None


def _fit_model(cfg: Config, backbone: dict, classes: int, size: int) -> None:
    # The number of channels, and whether the backbone pools by itself, are seen from what it gives.
    plain = MODELS.build({name: value for name, value in backbone.items() if name != 'init_cfg'})
    plain.eval()
    with torch.no_grad():
        output = plain(torch.zeros(1, 3, size, size))
    last = output[-1] if isinstance(output, tuple | list) else output
    model = cfg.model
    model.backbone = dict(backbone)
    model.neck = dict(type='GlobalAveragePooling') if last.dim() == 4 else None
    model.head.update(in_channels=last.shape[1], num_classes=classes)
