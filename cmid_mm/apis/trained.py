"""A config and a checkpoint that tools/train.py wrote -> a model that is ready to predict."""

import colorsys
import importlib
import os
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.device import get_device
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope
from mmengine.utils import import_modules_from_strings
from torch import nn

from cmid_mm.checkpoints import load_checkpoint
from cmid_mm.checkpoints.pretrained import load_strictly

SCOPES = dict(classification='mmpretrain', segmentation='mmseg', detection='mmrotate', change='mmseg')


@dataclass
class Trained:
    """What an inferencer needs of a trained model.

    Args:
        model (nn.Module): In evaluation mode, on its device.
        classes (tuple[str, ...]): Their names, in the order of the outputs.
        palette (list[tuple[int, int, int]]): RGB colour of each class.
    """

    model: nn.Module
    classes: tuple[str, ...]
    palette: list[tuple[int, int, int]]


def read_config(config: str | os.PathLike | Config) -> Config:
    """Read a config, or copy it, import what it asks for and keep its backbone from looking for pretrained weights.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    cfg = deepcopy(config) if isinstance(config, Config) else Config.fromfile(config)
    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)
    if 'backbone' in cfg.get('model', {}):
        cfg.model.backbone.init_cfg = None
        cfg.model.backbone.pop('pretrained', None)
    if cfg.get('test_dataloader') is None and cfg.get('val_dataloader') is not None:
        cfg.test_dataloader = cfg.val_dataloader
    return cfg


def task_of(cfg: Config) -> str:
    """Tell the task of a config from its default scope and the class of its model.

    Returns:
        str: A key of :data:`SCOPES`.

    Raises:
        ValueError: If it is none of the four tasks.
    """
    scope, kind = cfg.get('default_scope'), cfg.get('model', {}).get('type')
    if kind is not None and scope in SCOPES.values():
        with DefaultScope.overwrite_default_scope(scope):
            model = _registries(scope).MODELS.get(kind)
        bases = {base.__name__ for base in getattr(model, '__mro__', ())}
        for task, of_task, base in (
            ('classification', 'mmpretrain', 'BaseClassifier'),
            ('change', 'mmseg', 'TwoDateEncoderDecoder'),
            ('segmentation', 'mmseg', 'BaseSegmentor'),
            ('detection', 'mmrotate', 'BaseDetector'),
        ):
            if scope == of_task and base in bases:
                return task
    raise ValueError(
        f'{_name(cfg)} has default_scope={scope!r} and model.type={kind!r}, which is none of {", ".join(SCOPES)}; '
        'give the config of a trained task'
    )


def load_trained(cfg: Config, checkpoint: str | os.PathLike, device: str | torch.device | None = None) -> Trained:
    """Build the model of a config and load a whole trained model into it, every weight.

    Args:
        cfg (Config): As :func:`read_config` returns it.
        checkpoint (str or PathLike): What ``tools/train.py`` wrote.
        device (str or torch.device, optional): Defaults to None: a GPU where there is one.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        CheckpointError: If it is damaged or does not fit the config.
        ValueError: If neither the checkpoint nor the config names the classes.
    """
    loaded = load_checkpoint(checkpoint)
    registries = _registries(cfg.default_scope)
    model_cfg = dict(cfg.model)
    if cfg.get('data_preprocessor') is not None:
        model_cfg.setdefault('data_preprocessor', cfg.data_preprocessor)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = revert_sync_batchnorm(registries.MODELS.build(model_cfg))
    reason = f'give a checkpoint that tools/train.py wrote with {_name(cfg)}'
    if loaded.keys() <= {'state_dict', 'meta'} and 'backbone' in loaded.get('meta', {}):
        reason = f'it is an extracted backbone; train it on the task first, then {reason}'
    load_strictly(model, loaded, str(checkpoint), reason=reason)
    meta = _dataset_meta(cfg, loaded, registries)
    if not meta.get('classes'):
        raise ValueError(
            f'neither {checkpoint} nor {_name(cfg)} names the classes; add metainfo=dict(classes=(...)) to '
            'test_dataloader.dataset'
        )
    classes = tuple(meta['classes'])
    colours = [tuple(colour) for colour in meta.get('palette') or ()]
    palette = colours if len(colours) >= len(classes) else distinct_colours(len(classes))
    return Trained(model.to(device or get_device()).eval(), classes, palette)


def build_pipeline(cfg: Config) -> Compose:
    """Build the test pipeline without what loads files and labels: pixels are given to it as ``img``, BGR.

    Raises:
        ValueError: If the config has no test pipeline, or trains on other channels than OpenMMLab's BGR.
    """
    if cfg.get('test_dataloader') is None:
        raise ValueError(f'{_name(cfg)} has no test_dataloader, whose pipeline prepares the images; add one')
    steps = cfg.test_dataloader.dataset.pipeline
    if any(_plain(step.type) == 'LoadAerialImage' for step in steps):
        raise ValueError(f'{_name(cfg)} loads RGB by LoadAerialImage; inferencers give BGR, as LoadImageFromFile does')
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        transforms = _registries(cfg.default_scope).TRANSFORMS
        kept = [step for step in steps if not _plain(step.type).startswith('Load')]
        return Compose([transforms.build(dict(step)) for step in kept])


def trained_size(cfg: Config) -> tuple[int, int] | None:
    """Height and width of the images that a model was trained on, as far as the config tells; None if it does not.

    It is ``window_size`` of the config, else the crop of its training pipeline, else the scale that this resizes to,
    else the size of its data preprocessor.
    """
    if cfg.get('window_size') is not None:
        return _pair(cfg.window_size)
    steps = list(_train_pipeline(cfg))
    for key in ('crop_size', 'scale'):
        for step in reversed(steps):
            if isinstance(step.get(key), list | tuple | int) and 'Erasing' not in step.type:
                height, width = _pair(step[key])
                return (height, width) if key == 'crop_size' else (width, height)
    size = cfg.model.get('data_preprocessor', {}).get('size')
    return None if size is None else _pair(size)


def distinct_colours(number: int) -> list[tuple[int, int, int]]:
    """RGB colours of evenly spread hues."""
    hues = [colorsys.hsv_to_rgb(index / number, 0.75, 0.95) for index in range(number)]
    return [tuple(round(255 * value) for value in colour) for colour in hues]


def _dataset_meta(cfg: Config, loaded: dict, registries: object) -> dict:
    trained = loaded.get('meta', {}).get('dataset_meta') or {}
    trained = {key.lower(): value for key, value in trained.items()}
    if trained.get('classes') or cfg.get('test_dataloader') is None:
        return trained
    dataset = cfg.test_dataloader.dataset
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        known = getattr(registries.DATASETS.get(dataset.type), 'METAINFO', {})
    said = dataset.get('metainfo') or {}
    # Colours of the class stand for its own classes, not for a selection of them.
    return {**known, **({'palette': None} if 'classes' in said else {}), **said}


def _train_pipeline(cfg: Config) -> Iterator[dict]:
    dataset = (cfg.get('train_dataloader') or {}).get('dataset', {})
    while 'pipeline' not in dataset and ('dataset' in dataset or 'datasets' in dataset):
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['datasets'][0]
    yield from dataset.get('pipeline', ())


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _plain(kind: str | type) -> str:
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__


def _registries(scope: str) -> object:
    return importlib.import_module(f'{scope}.registry')


def _name(cfg: Config) -> str:
    return cfg.filename or 'the config'
