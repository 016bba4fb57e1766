"""Take a backbone out of a training checkpoint, in the form that every task loads."""

import os
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from cmid_mm.models.backbones import MaskedBackbone

from .components import check_components
from .config_text import parse_config_text, pixels_of_config
from .loading import CheckpointError, load_checkpoint
from .plain_forms import PlainForm, plain_form
from .writing import check_format, write_weights

ROLES = dict(student='backbone.', teacher='teacher.')


def extract_backbone(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    role: str = 'student',
    image_size: int = 224,
) -> Path:
    """Write the backbone of a training checkpoint, after checking that it loads and computes the same.

    The file's keys are those of mmpretrain's plain class (``ResNet`` for ``MaskedResNet`` or ``SparseResNet``), without
    a prefix, so that ``init_cfg=dict(type='Pretrained', checkpoint=...)`` of a backbone loads it as it is.

    Args:
        checkpoint (str or PathLike): What ``tools/train.py`` wrote, with its config inside.
        out (str or PathLike): A ``.pth`` or ``.safetensors`` file to write.
        role (str): ``'student'`` or ``'teacher'``. Defaults to ``'student'``.
        image_size (int): Side in pixels of the random image on which both backbones are compared. Defaults to 224.

    Returns:
        Path: ``out``.

    Raises:
        ValueError: If the role or the suffix of ``out`` is unknown.
        CheckpointError: If the checkpoint holds no config or no such backbone, does not load strictly into the
            plain class, or gives other features there.
    """
    if role not in ROLES:
        raise ValueError(f'role={role!r} is not one of {tuple(ROLES)}')
    out = check_format(out)
    loaded = load_checkpoint(checkpoint)
    cfg = config_of(loaded, checkpoint)
    form, trained = trained_backbone(loaded, cfg, role, checkpoint)
    plain = {name: value for name, value in trained.items() if name not in form.tensors}
    _verify(form, trained, plain, image_size, checkpoint)

    meta = loaded['meta']
    facts = dict(
        backbone=form.plain,
        role=role,
        epoch=meta.get('epoch'),
        iter=meta.get('iter'),
        experiment=meta.get('experiment_name'),
        **pixels_of_config(cfg),
    )
    write_weights(out, plain, facts)
    return out


def config_of(loaded: dict, checkpoint: str | os.PathLike) -> dict[str, Any]:
    """The config that a training checkpoint carries.

    Args:
        loaded (dict): The file, as :func:`load_checkpoint` returns it.
        checkpoint (str or PathLike): Where it came from, for messages.

    Raises:
        CheckpointError: If it carries none.
    """
    if 'cfg' not in loaded.get('meta', {}) or 'state_dict' not in loaded:
        raise CheckpointError(
            f'{checkpoint} is no training checkpoint: it has no config and state_dict; '
            'give the epoch_*.pth or iter_*.pth file that tools/train.py wrote'
        )
    return parse_config_text(loaded['meta']['cfg'])


def trained_backbone(
    loaded: dict, cfg: dict[str, Any], role: str, checkpoint: str | os.PathLike
) -> tuple[PlainForm, dict[str, Tensor]]:
    """A backbone of a training checkpoint: its plain form, and its weights as they were trained.

    Args:
        loaded (dict): The file, as :func:`load_checkpoint` returns it.
        cfg (dict): What :func:`config_of` returns for it.
        role (str): A key of :data:`ROLES`.
        checkpoint (str or PathLike): Where it came from, for messages.

    Raises:
        CheckpointError: If there is no such backbone, or a class of it is not registered.
    """
    prefix, weights = ROLES[role], loaded['state_dict']
    state = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    if not state:
        found = sorted({name.split('.')[0] for name in weights})
        raise CheckpointError(f"{checkpoint} has no weights under '{prefix}', only under {found}; choose another role")
    backbone = cfg['model']['backbone']
    init_default_scope('mmpretrain')
    check_components(backbone, checkpoint)
    return plain_form(MODELS.get(backbone['type']), backbone), state


@torch.no_grad()
def _verify(
    form: PlainForm,
    trained: dict[str, Tensor],
    plain: dict[str, Tensor],
    image_size: int,
    checkpoint: str | os.PathLike,
) -> None:
    image = torch.randn(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    outputs = []
    for cfg, state, features in ((form.trained, trained, form.features), (form.plain, plain, nn.Module.__call__)):
        backbone: nn.Module = MODELS.build(dict(cfg))
        if isinstance(backbone, MaskedBackbone) and 'mask_token' not in state:
            backbone.forget_mask_token()
        try:
            backbone.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise CheckpointError(f'{checkpoint}: its weights do not fit {cfg}: {error}') from error
        backbone.eval()
        outputs.append(features(backbone, image))
    for ours, theirs in zip(*outputs, strict=True):
        if not torch.equal(ours, theirs):
            raise CheckpointError(
                f'{checkpoint}: {form.plain["type"]} computes other features than {form.trained["type"]} from the same '
                'weights; the backbone config in the checkpoint does not describe what was trained'
            )
