"""Take a backbone out of a training checkpoint, in the form that every task loads."""

import json
import os
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from safetensors.torch import save_file
from torch import Tensor, nn

from cmid_mm.models.backbones import MaskedBackbone
from cmid_mm.version import __version__

from .config_text import parse_config_text
from .loading import CheckpointError, load_checkpoint

ROLES = dict(student='backbone.', teacher='teacher.')
FORMATS = ('.pth', '.safetensors')


def extract_backbone(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    role: str = 'student',
    image_size: int = 224,
) -> Path:
    """Write the backbone of a training checkpoint, after checking that it loads and computes the same.

    The file's keys are those of mmpretrain's plain class (``ResNet`` for ``MaskedResNet``), without a prefix, so
    that ``init_cfg=dict(type='Pretrained', checkpoint=...)`` of a backbone loads it as it is.

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
    out = Path(out)
    if role not in ROLES:
        raise ValueError(f'role={role!r} is not one of {tuple(ROLES)}')
    if out.suffix not in FORMATS:
        raise ValueError(f'{out} does not end in one of {FORMATS}; name the file to write accordingly')
    loaded = load_checkpoint(checkpoint)
    meta = loaded.get('meta', {})
    if 'cfg' not in meta or 'state_dict' not in loaded:
        raise CheckpointError(
            f'{checkpoint} is no training checkpoint: it has no config and state_dict; '
            'give the epoch_*.pth or iter_*.pth file that tools/train.py wrote'
        )
    trained_cfg = parse_config_text(meta['cfg'])['model']['backbone']
    trained = _state_of(loaded['state_dict'], ROLES[role], checkpoint)
    plain_cfg, plain = _plain(trained_cfg, trained, checkpoint)
    _verify(trained_cfg, trained, plain_cfg, plain, image_size, checkpoint)

    out.parent.mkdir(parents=True, exist_ok=True)
    facts = dict(
        backbone=plain_cfg,
        role=role,
        epoch=meta.get('epoch'),
        iter=meta.get('iter'),
        experiment=meta.get('experiment_name'),
        cmid_mm_version=__version__,
    )
    if out.suffix == '.safetensors':
        contiguous = {name: tensor.contiguous() for name, tensor in plain.items()}
        save_file(contiguous, out, metadata={name: json.dumps(value) for name, value in facts.items()})
    else:
        torch.save(dict(state_dict=plain, meta=facts), out)
    return out


def _state_of(state_dict: dict[str, Tensor], prefix: str, checkpoint: str | os.PathLike) -> dict[str, Tensor]:
    state = {name.removeprefix(prefix): value for name, value in state_dict.items() if name.startswith(prefix)}
    if not state:
        found = sorted({name.split('.')[0] for name in state_dict})
        raise CheckpointError(f"{checkpoint} has no weights under '{prefix}', only under {found}; choose another role")
    return state


def _plain(
    trained_cfg: dict, trained: dict[str, Tensor], checkpoint: str | os.PathLike
) -> tuple[dict, dict[str, Tensor]]:
    """The config and state of the plain class behind a masked one; both unchanged if it is plain already."""
    init_default_scope('mmpretrain')
    masked = MODELS.get(trained_cfg['type'])
    if masked is None:
        raise CheckpointError(
            f'{checkpoint} was trained with the backbone {trained_cfg["type"]!r}, which is not registered; '
            'import the package that registers it'
        )
    if not issubclass(masked, MaskedBackbone):
        return dict(trained_cfg), trained
    plain = {name: value for name, value in trained.items() if name != 'mask_token'}
    return masked.plain_config(trained_cfg), plain


@torch.no_grad()
def _verify(
    trained_cfg: dict,
    trained: dict[str, Tensor],
    plain_cfg: dict,
    plain: dict[str, Tensor],
    image_size: int,
    checkpoint: str | os.PathLike,
) -> None:
    image = torch.randn(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    features = []
    for cfg, state in ((trained_cfg, trained), (plain_cfg, plain)):
        backbone: nn.Module = MODELS.build(dict(cfg))
        if isinstance(backbone, MaskedBackbone) and 'mask_token' not in state:
            backbone.forget_mask_token()
        try:
            backbone.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise CheckpointError(f'{checkpoint}: its weights do not fit {cfg}: {error}') from error
        backbone.eval()
        features.append(backbone(image))
    for ours, theirs in zip(*features, strict=True):
        if not torch.equal(ours, theirs):
            raise CheckpointError(
                f'{checkpoint}: {plain_cfg["type"]} computes other features than {trained_cfg["type"]} from the same '
                'weights; the backbone config in the checkpoint does not describe what was trained'
            )
