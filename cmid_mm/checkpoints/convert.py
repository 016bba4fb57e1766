"""Turn the checkpoint of another project into a backbone file that every task here loads."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from torch import nn

import cmid_mm.models.backbones  # noqa: F401  registers ViTAE

from .architectures import FAMILIES
from .config_text import parse_config_text, pixels_of_config
from .key_rules import SOURCES, Source, State
from .layouts import ROLES, recognise, rename, select, weights_of
from .loading import CheckpointError, load_checkpoint, sha256_of
from .pretrained import load_strictly
from .tensor_rules import (
    POSITION_INDEX,
    flip_stem,
    pad_parallel_convolutions,
    resize_windows,
    without_position_index,
)
from .writing import check_format, write_weights

# Settings of a ResNet that change what it computes and leave no trace in its keys.
_RESNET_SETTINGS = ('style', 'strides', 'dilations')


@dataclass
class Conversion:
    """What a conversion did.

    Attributes:
        out (Path): The file written.
        source (str): Key of ``SOURCES``, or ``'cmid_mm'`` if it was a file of this package.
        target (str): Class of what the file holds.
        used (int): Weights of the source that went into it.
        renamed (int): Those among them that have another name now.
        dropped (dict[str, int]): Weights left out by rule, counted by the beginning of their names.
        facts (dict): What was written beside the weights.
    """

    out: Path
    source: str
    target: str
    used: int
    renamed: int
    dropped: dict[str, int]
    facts: dict[str, Any] = field(repr=False)


def convert_checkpoint(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    source: str = 'auto',
    *,
    role: str = 'student',
    image_size: int | None = None,
    window_size: int | None = None,
    pcm_kernel: int = 3,
    keep_bgr_stem: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    trusted: bool = False,
) -> Conversion:
    """Write the backbone of another project's checkpoint under mmpretrain's names, after loading it strictly.

    The target (``ResNet``, ``SwinTransformer``, ``VisionTransformer`` or our ``ViTAE``) is told from the keys and
    shapes. The file is of the form that ``extract_backbone`` writes. A backbone file of this package is written anew,
    as it is, in the format of ``out``.

    Args:
        checkpoint (str or PathLike): A local file.
        out (str or PathLike): A new ``.pth`` or ``.safetensors`` file.
        source (str): A key of :data:`~cmid_mm.checkpoints.key_rules.SOURCES`, or ``'auto'`` to recognise it from its
            keys. Defaults to ``'auto'``.
        role (str): ``'student'`` or, where the source has one, ``'teacher'``. Defaults to ``'student'``.
        image_size (int, optional): Pixels a side to which a Vision Transformer's position embedding is resized
            (bicubic, by mmpretrain). Defaults to None: that of the file.
        window_size (int, optional): Cells a side to which a Swin Transformer's biases are resized. Defaults to None:
            that of the file.
        pcm_kernel (int): Side of ViTAE's parallel convolutions; smaller ones are padded by zeros. Defaults to 3.
        keep_bgr_stem (bool): Leave the first convolution of a backbone that takes BGR images as it is, instead of
            flipping it for RGB. Defaults to False.
        mean (Sequence[float], optional): Of each channel, to be written instead of what is known. Defaults to None.
        std (Sequence[float], optional): Likewise.
        trusted (bool): As of ``load_checkpoint``. Defaults to False.

    Returns:
        Conversion: What was done.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        FileExistsError: If ``out`` exists.
        ValueError: If an argument is unknown or does not go with the backbone.
        CheckpointError: If the layout is not recognised, or a weight is missing, left over or of another shape.
    """
    out, path = check_new(out), str(checkpoint)
    if source != 'auto' and source not in SOURCES:
        raise ValueError(f'source={source!r} is none of auto, {", ".join(SOURCES)}')
    if role not in ROLES:
        raise ValueError(f'role={role!r} is not one of {ROLES}')
    if (mean is None) != (std is None) or (mean is not None and len(mean) != len(std)):
        raise ValueError(f'mean={mean} and std={std} do not go together; give both, with one value a channel')
    file = load_weights_file(checkpoint, trusted)
    if 'backbone' in (file.get('meta') or {}):
        return _write_anew(file, path, out)

    name = recognise(file, path) if source == 'auto' else source
    selection = select(file, name, role, path)
    renamed = rename(selection.state, selection.naming.renames, path)
    weights = without_position_index(renamed)
    for rule in selection.naming.tensor_rules:
        weights = rule(weights)
    pixels, flipped = _pixels(file, SOURCES[name], weights, keep_bgr_stem)
    if flipped:
        weights = flip_stem(weights)
    if mean is not None:
        pixels['normalisation'] = dict(mean=list(mean), std=list(std))

    family = selection.naming.family
    try:
        weights, cfg = _fit(weights, family, image_size, window_size, pcm_kernel)
    except CheckpointError as error:
        raise CheckpointError(f'{path} cannot be converted from {name}: {error}') from error
    if family == 'resnet':
        trained = (_config(file).get('model') or {}).get('backbone') or {}
        cfg |= {setting: trained[setting] for setting in _RESNET_SETTINGS if setting in trained}
    cfg |= SOURCES[name].settings
    whole = _strictly_loaded(cfg, weights, path, f'it is not whole, or not of {name}; check the file and --from')

    facts = dict(backbone=cfg, role=role, **facts_of_source(name, checkpoint), **pixels)
    write_weights(out, whole, facts)
    changed = sum(old != new for old, new in zip(selection.state, renamed, strict=True))
    return Conversion(out, name, cfg['type'], len(selection.state), changed, selection.dropped, facts)


def check_new(out: str | os.PathLike) -> Path:
    """The path of a file to write.

    Raises:
        ValueError: If its suffix is unknown.
        FileExistsError: If it exists.
    """
    out = check_format(out)
    if out.exists():
        raise FileExistsError(f'{out} exists; give another name or remove it')
    return out


def load_weights_file(checkpoint: str | os.PathLike, trusted: bool) -> dict:
    """Load what may be converted.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it cannot be loaded, is no dict, or is a training checkpoint of this package.
    """
    file = load_checkpoint(checkpoint, trusted=trusted)
    if not isinstance(file, dict):
        raise CheckpointError(f'{checkpoint} holds a {type(file).__name__}, no dict of weights; save its state_dict()')
    if 'teacher_step' in weights_of(file, 'state_dict'):
        raise CheckpointError(
            f'{checkpoint} is a training checkpoint of this package; run tools/extract_backbone.py {checkpoint} OUT'
        )
    if Path(checkpoint).suffix == '.safetensors' and 'backbone' not in file['meta']:
        return file['state_dict']  # another project's: nothing is wrapped
    return file


def facts_of_source(name: str, checkpoint: str | os.PathLike) -> dict[str, str]:
    """Where weights come from: the source's name, the file's name and its SHA-256."""
    checkpoint = Path(checkpoint).expanduser()
    return dict(source=name, source_file=checkpoint.name, source_sha256=sha256_of(checkpoint))


def _write_anew(file: dict, path: str, out: Path) -> Conversion:
    facts, state = file['meta'], file['state_dict']
    _strictly_loaded(facts['backbone'], state, path, 'it is not whole; copy or write it again')
    write_weights(out, state, facts)
    return Conversion(out, 'cmid_mm', facts['backbone']['type'], len(state), 0, {}, facts)


def _pixels(file: dict, rules: Source, weights: State, keep_bgr_stem: bool) -> tuple[dict[str, Any], bool]:
    """What the images must be, as facts, and whether the stem is to be flipped from BGR to RGB."""
    stem = weights.get('conv1.weight', weights.get('patch_embed.projection.weight'))
    channels = 3 if stem is None else stem.shape[1]
    pixels = next((pixels for pixels in rules.pixels if len(pixels.mean) in (1, channels)), None)
    if pixels is None:
        said = {} if rules.pixels else pixels_of_config(_config(file))
        return dict(normalisation=None, channel_order=None) | said, False
    flipped = pixels.channel_order == 'BGR' and not keep_bgr_stem
    step = -1 if flipped else 1
    mean, std = ([*values] * (channels if len(values) == 1 else 1) for values in (pixels.mean, pixels.std))
    facts = dict(
        normalisation=dict(mean=mean[::step], std=std[::step]),
        channel_order='RGB' if flipped else pixels.channel_order,
        pixel_values=pixels.values,
    )
    return facts, flipped


def _config(file: dict) -> dict[str, Any]:
    """The config that an OpenMMLab checkpoint carries; {} if there is none that can be read without running it."""
    text = (file.get('meta') or {}).get('cfg')
    try:
        return parse_config_text(text) if isinstance(text, str) else {}
    except (ValueError, SyntaxError):  # Python beyond what mmengine writes
        return {}


def _fit(
    weights: State, family: str, image_size: int | None, window_size: int | None, pcm_kernel: int
) -> tuple[State, dict]:
    """The weights in the sizes asked for, and the config of their backbone."""
    if image_size is not None and family not in ('vit', 'vitae'):
        raise ValueError(f'image_size={image_size} has no meaning for a {family} backbone; leave it out')
    if window_size is not None and family != 'swin':
        raise ValueError(f'window_size={window_size} has no meaning for a {family} backbone; leave it out')
    if window_size is not None:
        weights = resize_windows(weights, window_size)
    if family == 'vitae':
        weights = pad_parallel_convolutions(weights, pcm_kernel)
    cfg = FAMILIES[family](weights)
    if image_size is not None:
        patch_size = cfg.get('patch_size', 16)
        if image_size < patch_size or image_size % patch_size:
            raise ValueError(f'image_size={image_size} is no multiple of the patch size {patch_size}')
        cfg['img_size'] = image_size  # mmpretrain resizes the embedding on loading
    return weights, cfg


def _strictly_loaded(cfg: dict, weights: State, path: str, reason: str) -> State:
    """The state of a backbone that has loaded all weights, and only these."""
    init_default_scope('mmpretrain')
    backbone = MODELS.build(dict(cfg))
    load_all(backbone, weights, path, reason)
    return backbone.state_dict()


def load_all(model: nn.Module, weights: State, path: str, reason: str, *own: str) -> None:
    """Load all weights of a model, except what it computes itself: position indices, and keys that end in ``own``.

    Raises:
        CheckpointError: If a weight is missing, left over or of another shape.
    """
    kept = {key: value for key, value in model.state_dict().items() if key.endswith((POSITION_INDEX, *own))}
    load_strictly(model, dict(state_dict=weights | kept), path, reason=reason)
