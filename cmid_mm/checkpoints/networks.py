"""Networks out of checkpoints, ready to be shown images."""

import os
from dataclasses import dataclass
from typing import Any

from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from torch import nn

from .components import check_components
from .config_text import pixels_of_config
from .extract import config_of, trained_backbone
from .loading import CheckpointError, load_checkpoint
from .pretrained import load_strictly

_EIGHT_BITS = '8-bit levels'


@dataclass(frozen=True)
class Network:
    """A network in evaluation mode, and the images that it expects.

    Attributes:
        module (nn.Module): A plain backbone, or the whole model of pretraining.
        mean (tuple[float, ...]): Of the three channels, 0 to 255.
        std (tuple[float, ...]): Likewise.
        is_bgr (bool): Whether the channels are blue, green, red.
        size (int, optional): Side in pixels of the images that it was trained on; None if the file does not say.
        cfg (dict): The config of its training; empty for a backbone that was extracted or converted.
    """

    module: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    is_bgr: bool
    size: int | None
    cfg: dict[str, Any]


def load_backbone(checkpoint: str | os.PathLike, role: str = 'student') -> Network:
    """Build the plain backbone of a checkpoint and load it, every weight.

    Args:
        checkpoint (str or PathLike): What ``tools/train.py``, ``tools/extract_backbone.py`` or
            ``tools/convert_checkpoint.py`` wrote; its config says what to build.
        role (str): Of a training checkpoint with a teacher, ``'student'`` or ``'teacher'``. Defaults to ``'student'``.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it says nothing of its backbone or of the images that it takes, or does not fit.
    """
    loaded, path = load_checkpoint(checkpoint), str(checkpoint)
    facts = loaded.get('meta') or {}
    if 'backbone' in facts:
        cfg, plain, state = {}, facts['backbone'], loaded['state_dict']
    elif 'cfg' in facts:
        cfg = config_of(loaded, path)
        form, trained = trained_backbone(loaded, cfg, role, path)
        plain, state = form.plain, {name: value for name, value in trained.items() if name not in form.tensors}
        facts = pixels_of_config(cfg)
    else:
        raise CheckpointError(
            f'{path} does not say what it holds; give a file of tools/train.py or tools/extract_backbone.py, or '
            f'run tools/convert_checkpoint.py {path} OUT and give OUT'
        )
    init_default_scope('mmpretrain')
    check_components(plain, path)
    backbone = revert_sync_batchnorm(MODELS.build({**plain, 'init_cfg': None}))
    load_strictly(backbone, state, path, reason='the config in it does not describe what was trained')
    return _network(backbone, facts, cfg, path)


def load_pretraining(checkpoint: str | os.PathLike) -> Network:
    """Build the whole model of a training checkpoint, heads and teacher included, and load it, every weight.

    Args:
        checkpoint (str or PathLike): The ``epoch_*.pth`` or ``iter_*.pth`` file that ``tools/train.py`` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it is no training checkpoint, or its weights do not fit its config.
    """
    loaded, path = load_checkpoint(checkpoint), str(checkpoint)
    if 'backbone' in (loaded.get('meta') or {}):
        raise CheckpointError(
            f'{path} is a backbone without the heads of its training; give the epoch_*.pth that it came from'
        )
    cfg = config_of(loaded, path)
    init_default_scope('mmpretrain')
    check_components(cfg['model'], path)
    model = revert_sync_batchnorm(MODELS.build(dict(cfg['model'])))
    load_strictly(model, loaded, path, reason='the config in it does not describe what was trained')
    return _network(model, pixels_of_config(cfg), cfg, path)


def _network(module: nn.Module, facts: dict[str, Any], cfg: dict[str, Any], path: str) -> Network:
    pixels = facts.get('normalisation')
    if not pixels or len(pixels['mean']) != 3:
        raise CheckpointError(
            f'{path} does not say how three channels are normalised, so no image can be shown to it; give a checkpoint '
            'of RGB images, or convert it with --mean and --std'
        )
    if _EIGHT_BITS not in facts.get('pixel_values', _EIGHT_BITS):
        raise CheckpointError(
            f'{path} expects {facts["pixel_values"]}, which image files do not hold; give a backbone of 8-bit images'
        )
    module.eval()  # whose return value mmpretrain's backbones forget
    size = cfg.get('size')
    return Network(
        module,
        tuple(pixels['mean']),
        tuple(pixels['std']),
        facts.get('channel_order') == 'BGR',
        size if isinstance(size, int) else None,
        cfg,
    )
