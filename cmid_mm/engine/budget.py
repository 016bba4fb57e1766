"""Fit any pretraining config to a set of images and to a budget, by one rule for all methods.

What is fitted is what the size of the data and the length of the run decide: batch, learning rate for that batch,
schedule, memory of momentum encoders, queues. Losses, views, optimizers and their other settings stay the config's.
"""

import inspect
import os

from mmengine.config import Config
from mmpretrain.registry import MODELS

from cmid_mm.models.selfsup import TeacherStudent

from .hooks.fit_to_dataset_hook import longest_queue
from .lr_scaling import scale_learning_rate
from .short_run import fit_to_short_run


def fit_to_images(
    cfg: Config,
    root: str | os.PathLike,
    list_file: str | os.PathLike,
    images: int,
    batch_size: int | None = None,
    scaling: str | None = None,
) -> None:
    """Let a config pretrain on these images, with this batch.

    Args:
        cfg (Config): Config of a pretraining run on ``UnlabelledImages``, changed in place.
        root (str or PathLike): Folder of the images.
        list_file (str or PathLike): Text file with a path below ``root`` a line: what to train on.
        images (int): Lines of it.
        batch_size (int, optional): Images a step. Defaults to None: the config's.
        scaling (str, optional): How the learning rate follows the batch, see ``scale_learning_rate``. Defaults to
            None: not at all.

    Raises:
        ValueError: A config of another data set class, or fewer images than one batch.
    """
    loader = cfg.train_dataloader
    if loader.dataset.get('type') != 'UnlabelledImages':
        raise ValueError(
            f'{cfg.filename}: train_dataloader.dataset.type is {loader.dataset.get("type")!r}; methods are compared '
            "on type='UnlabelledImages', which takes any folder"
        )
    loader.batch_size = batch_size or loader.batch_size
    if images < loader.batch_size:
        raise ValueError(
            f'{root} leaves {images} images to train on, fewer than a batch of {loader.batch_size}; lower the batch '
            'size or give more images'
        )
    loader.dataset.update(data_root=str(root), list_file=str(list_file))
    if scaling is not None:
        scale_learning_rate(cfg, scaling, world_size=1)
    fit_queues(cfg, images)


def fit_queues(cfg: Config, images: int) -> None:
    """Cut queues of keys (CMID, MoCo, DenseCL, SwAV) to the number of images.

    A longer one would hold an image several times, as a negative of itself.

    Args:
        cfg (Config): Config of a run, with its batch, changed in place.
        images (int): Images of the data set.
    """
    batch = cfg.train_dataloader.batch_size
    if (head := cfg.model.get('global_head')) and 'queue_size' in head:
        head.queue_size = min(head.queue_size, images)
    # mmpretrain enters whole batches; FitToDatasetHook refuses other lengths.
    if 'queue_len' in _parameters(cfg):
        cfg.model.queue_len = longest_queue(min(_setting(cfg, 'queue_len'), images), batch)
    for hook in cfg.get('custom_hooks', ()):
        if 'queue_length' in hook:
            hook.queue_length = longest_queue(min(hook.queue_length, images), batch)


def fit_to_epochs(cfg: Config, steps_per_epoch: int, epochs: int) -> None:
    """Set the length of a run, and fit to it what would otherwise outlast it, as ``fit_to_short_run`` does for CMID.

    For every method the learning rate rises over an eighth of the iterations and falls by a cosine to the end, and a
    momentum encoder remembers no more than half of the run. What else SwAV and DenseCL count in iterations or epochs is
    fitted by ``FitToDatasetHook`` when a run begins.

    Args:
        cfg (Config): Config of a run, changed in place.
        steps_per_epoch (int): Iterations an epoch.
        epochs (int): Epochs of the run.
    """
    algorithm = MODELS.get(cfg.model.type)
    if issubclass(algorithm, TeacherStudent) and cfg.model.get('local_head'):
        fit_to_short_run(cfg, steps_per_epoch, epochs)
        return
    total = steps_per_epoch * epochs
    cfg.train_cfg.max_epochs = epochs
    cfg.param_scheduler = warm_up_and_cosine(total)
    if issubclass(algorithm, TeacherStudent):
        cfg.model.base_momentum = min(cfg.model.base_momentum, max(0.0, 1 - 2 / total))
    else:
        # mmpretrain's momentum is the weight of the new, one minus that of the papers and of TeacherStudent.
        for name in ('base_momentum', 'momentum'):
            if name in _parameters(cfg):
                cfg.model[name] = max(_setting(cfg, name), min(1.0, 2 / total))


def warm_up_and_cosine(total: int) -> list[dict]:
    """The schedule of ``fit_to_short_run``: a linear rise over an eighth of ``total`` iterations, then a cosine."""
    warm_up = max(2, total // 8)
    return [
        dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=warm_up),
        dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=False, begin=warm_up, end=max(total, warm_up + 1)),
    ]


def _parameters(cfg: Config) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(MODELS.get(cfg.model.type).__init__).parameters)


def _setting(cfg: Config, name: str) -> float:
    """What the config says of an argument of the algorithm, or its default."""
    return cfg.model[name] if name in cfg.model else _parameters(cfg)[name].default
