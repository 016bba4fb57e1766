"""The plain backbones behind those of pretraining: the same weights, without what only pretraining needs."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from mmpretrain.models import SparseResNet
from mmpretrain.models.selfsup import MAEViT, SimMIMSwinTransformer
from mmpretrain.models.utils.sparse_modules import SparseHelper
from torch import Tensor, nn

from cmid_mm.models.backbones import MaskedBackbone

Features = Callable[[nn.Module, Tensor], tuple[Tensor, ...]]


class PlainForm(NamedTuple):
    """A backbone of pretraining and the plain one that every task uses.

    Attributes:
        trained (dict): Config of the trained backbone that gives the maps which tasks need.
        plain (dict): Config of the plain backbone.
        tensors (tuple[str, ...]): Weights that the plain backbone does not have.
        features (Callable): Computes the maps of images by the trained backbone without a mask.
    """

    trained: dict
    plain: dict
    tensors: tuple[str, ...]
    features: Features


def plain_form(cls: type[nn.Module], cfg: dict) -> PlainForm:
    """The plain form of a backbone; a backbone that is plain already is its own.

    Args:
        cls (type): Class of the backbone that was trained.
        cfg (dict): Its config.
    """
    if issubclass(cls, MaskedBackbone):
        return PlainForm(cfg, cls.plain_config(cfg), ('mask_token',), nn.Module.__call__)
    if issubclass(cls, MAEViT):
        # Training gives tokens whatever out_type is.
        cfg = dict(cfg, out_type='featmap')
        return PlainForm(cfg, _renamed(cfg, 'VisionTransformer', 'mask_ratio'), (), _without_mask)
    if issubclass(cls, SimMIMSwinTransformer):
        return PlainForm(cfg, _renamed(cfg, 'SwinTransformer'), ('mask_token',), _without_mask)
    if issubclass(cls, SparseResNet):
        return PlainForm(cfg, _renamed(cfg, 'ResNet', 'norm_cfg'), (), _all_active)
    # Norms over all processes are an affair of the training.
    left_out = ('norm_cfg',) if cfg.get('norm_cfg', {}).get('type') == 'SyncBN' else ()
    return PlainForm(cfg, _renamed(cfg, cls.__name__, *left_out), (), nn.Module.__call__)


def _renamed(cfg: dict, name: str, *left_out: str) -> dict:
    settings = {key: value for key, value in cfg.items() if key not in (*left_out, 'init_cfg')}
    return settings | dict(type=f'mmpretrain.{name}')


def _without_mask(backbone: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    return backbone(images, None)


def _all_active(backbone: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    SparseHelper._cur_active = torch.ones(len(images), 1, 1, 1, dtype=torch.bool, device=images.device)
    return backbone(images)
