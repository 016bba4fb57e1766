"""Fit any pretraining config to a set of images, by one rule for all methods.

What is fitted is what the number of images decides: batch, learning rate for that batch, queues. Losses, views,
optimizers and their other settings stay the config's.
"""

import os

from mmengine.config import Config

from .algorithm_settings import has_setting, setting_of
from .hooks.fit_to_dataset_hook import longest_queue
from .lr_scaling import scale_learning_rate


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
    if has_setting(cfg, 'queue_len'):
        cfg.model.queue_len = longest_queue(min(setting_of(cfg, 'queue_len'), images), batch)
    for hook in cfg.get('custom_hooks', ()):
        if 'queue_length' in hook:
            hook.queue_length = longest_queue(min(hook.queue_length, images), batch)
