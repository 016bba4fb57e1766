"""Turn official CMID's whole training state into a checkpoint from which pretraining goes on here."""

import os
import re

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from torch import Tensor

import cmid_mm.models  # noqa: F401  registers CMID

from .architectures import FAMILIES
from .convert import Conversion, check_new, facts_of_source, load_all, load_weights_file
from .key_rules import CMID_FIXED_GAIN, CMID_TRAINING_RENAMES, SOURCES, State
from .layouts import first_keys, rename, weights_of
from .loading import CheckpointError
from .tensor_rules import POSITION_INDEX
from .writing import write_weights

_MASKED = dict(resnet='MaskedResNet', swin='MaskedSwinTransformer')


def convert_training_state(checkpoint: str | os.PathLike, out: str | os.PathLike, trusted: bool = False) -> Conversion:
    """Write students, teachers, heads, queue and centre of official CMID under the names of :class:`CMID`.

    The model is told from keys and shapes, built, and loaded strictly. The file is given as ``load_from`` to a config
    of that model; ``tools/extract_backbone.py`` takes it too. The official file says nothing of optimizer, epoch or
    step, so the schedules begin anew.

    Args:
        checkpoint (str or PathLike): ``{'model': state dict}``, as the authors' trainer writes it.
        out (str or PathLike): A new ``.pth`` or ``.safetensors`` file.
        trusted (bool): As of ``load_checkpoint``. Defaults to False.

    Returns:
        Conversion: What was done.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        FileExistsError: If ``out`` exists.
        CheckpointError: If it is no such state, or a weight is missing, left over or of another shape.
    """
    out, path = check_new(out), str(checkpoint)
    file = load_weights_file(checkpoint, trusted)
    theirs = weights_of(file, 'model')
    if not any(name.startswith('online_encoder.model.') for name in theirs):
        raise CheckpointError(
            f'{path} holds no training state of official CMID, whose file is a dict with model=...; its first keys are '
            f'{first_keys(file)}'
        )
    state, dropped = our_names(theirs, path)
    try:
        cfg = _model_config(state)
    except KeyError as error:
        raise CheckpointError(f'{path} is no whole training state of official CMID: it has no {error}') from error

    init_default_scope('mmpretrain')
    model = MODELS.build(cfg)
    own = model.state_dict()
    state = {name: _squeezed(value, own.get(name)) for name, value in state.items()}
    load_all(model, state, path, 'it is no whole state of official CMID', 'teacher_step')
    facts = dict(cfg=Config(dict(model=cfg)).pretty_text, **facts_of_source('cmid', checkpoint))
    write_weights(out, model.state_dict(), facts)
    return Conversion(out, 'cmid', 'CMID', len(state), len(state), dropped, facts)


def our_names(theirs: State, path: str) -> tuple[State, dict[str, int]]:
    """Rename the tensors of official CMID.

    Args:
        theirs (dict[str, Tensor]): Its state dict.
        path (str): Where it came from, for messages.

    Returns:
        tuple[dict[str, Tensor], dict[str, int]]: The tensors that :class:`CMID` has too, and counts of the others,
        which are gains fixed at 1 and position indices.

    Raises:
        CheckpointError: If a gain is not 1, which our prototypes cannot express.
    """
    gains = {name: value for name, value in theirs.items() if re.search(CMID_FIXED_GAIN, name)}
    for name, value in gains.items():
        if not torch.all(value == 1):
            raise CheckpointError(
                f'{path}: {name} is not 1 everywhere, as it is in CMID, where it is fixed; check the file'
            )
    indices = [name for name in theirs if name.endswith(POSITION_INDEX)]
    dropped = {'weight_g': len(gains)} | ({POSITION_INDEX.strip('.'): len(indices)} if indices else {})
    kept = {name: value for name, value in theirs.items() if name not in gains and name not in indices}
    return rename(kept, CMID_TRAINING_RENAMES, path), dropped


def _model_config(state: State) -> dict:
    """The config of the CMID model with these tensors."""
    student = {name.removeprefix('backbone.'): value for name, value in state.items() if name.startswith('backbone.')}
    family = 'swin' if any(name.startswith('stages.') for name in student) else 'resnet'
    plain = FAMILIES[family](student)
    backbone = plain | dict(type=_MASKED[family]) | (dict(drop_path_rate=0.0) if family == 'swin' else {})
    prototypes = state['local_head.projector.prototypes.weight']
    return dict(
        type='CMID',
        backbone=backbone,
        reconstruction_head=dict(
            type='ReconstructionHead', stride=round((state['reconstruction_head.decoder.0.bias'].shape[0] / 3) ** 0.5)
        ),
        global_head=dict(
            type='GlobalContrastHead',
            projector=dict(
                type='MoCoV2Neck',
                hid_channels=state['global_head.projector.mlp.0.weight'].shape[0],
                out_channels=state['global_head.projector.mlp.2.weight'].shape[0],
            ),
            queue_size=state['global_head.queue.keys'].shape[1],
        ),
        local_head=dict(
            type='LocalDistillationHead',
            projector=dict(
                type='PrototypeNeck',
                hid_channels=state['local_head.projector.mlp.0.weight'].shape[0],
                out_channels=prototypes.shape[1],
                num_prototypes=prototypes.shape[0],
                with_norm='local_head.projector.mlp.1.running_mean' in state,
            ),
        ),
        data_preprocessor=dict(
            type='ViewsDataPreprocessor', mean=[*SOURCES['cmid'].pixels[0].mean], std=[*SOURCES['cmid'].pixels[0].std]
        ),
    )


def _squeezed(value: Tensor, own: Tensor | None) -> Tensor:
    """The values of a convolution of kernel 1, or of a token with a batch axis, in the shape of ours."""
    if own is not None and [n for n in value.shape if n > 1] == [n for n in own.shape if n > 1]:
        return value.reshape(own.shape)
    return value
