"""One whole training step, from a converted file of theirs, gives the authors' losses, gradients, queue, centre and
teacher, in float64.
"""

import gc
import re
from tempfile import TemporaryDirectory
from zlib import crc32

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from cmid_mm.checkpoints import convert_training_state, load_checkpoint
from cmid_mm.checkpoints.key_rules import CMID_TRAINING_RENAMES
from cmid_mm.checkpoints.layouts import rename
from cmid_mm.models.utils import average_parameters

TOLERANCE = 1e-6
BACKBONES = dict(
    resnet50=dict(type='MaskedResNet', depth=50),
    swinb=dict(type='MaskedSwinTransformer', arch='base', drop_path_rate=0.0),
)


@pytest.fixture(autouse=True)
def _memory() -> None:
    """A step of Swin-B in float64 takes 6 GB: what reference cycles still hold of the one before must not add to it."""
    gc.collect()


def named_as_theirs(names):
    """The authors' name of each of our tensors."""
    return {ours: name for name in names for ours in rename({name: None}, CMID_TRAINING_RENAMES, '')}


def rule(name, shape):
    """The value of a tensor by its name (shared/golden/README.md)."""
    if name.endswith(('running_mean', 'num_batches_tracked', 'queue_ptr', 'center')):
        return np.zeros(shape)
    if name.endswith(('running_var', 'weight_g')):
        return np.ones(shape)
    x = np.random.RandomState(crc32(name.encode()) & 0x7FFFFFFF).standard_normal(shape)
    if name.endswith('queue'):
        x = x / np.linalg.norm(x, axis=0)
    elif 'mask_token' in name or 'bias_table' in name:
        x = 0.02 * x
    elif len(shape) == 1:
        x = 1 + 0.05 * x if name.endswith('weight') else 0.05 * x
    else:
        x = x * np.sqrt(2 / np.prod(shape[1:]))
    return x.astype(np.float32).astype(np.float64)


def official_state(golden):
    """The authors' state dict."""
    state = {}
    for name, shape in zip(map(str, golden['state_names']), golden['state_shapes'], strict=True):
        value = torch.from_numpy(np.asarray(rule(name, tuple(map(int, re.findall(r'\d+', str(shape)))))))
        state[name] = value.long() if name.endswith(('num_batches_tracked', 'queue_ptr')) else value.float()
    return state


def build(network, golden):
    official = official_state(golden)
    with TemporaryDirectory() as folder:
        torch.save(dict(model=official), f'{folder}/official.pth')
        convert_training_state(f'{folder}/official.pth', f'{folder}/ours.pth')
        converted = load_checkpoint(f'{folder}/ours.pth')
    model = MODELS.build(
        dict(
            type='CMID',
            backbone=BACKBONES[network],
            reconstruction_head=dict(type='ReconstructionHead'),
            global_head=dict(
                type='GlobalContrastHead',
                projector=dict(type='MoCoV2Neck', hid_channels=2048, out_channels=256),
                queue_size=official['queue'].shape[1],
            ),
            local_head=dict(
                type='LocalDistillationHead',
                projector=dict(type='PrototypeNeck', with_norm=network == 'resnet50'),
                num_matches=int(golden['num_matches']),
            ),
        )
    )
    model.load_state_dict(converted['state_dict'])
    model.double()
    model.set_max_steps(1000)
    model.set_epoch(int(golden['local_epoch']))
    return model.train()


def inputs(golden, masked_cells):
    views = [torch.from_numpy(golden[name]).double() for name in ('image', 'view')]
    masks = np.stack([golden['mask_image'], golden['mask_view']], axis=1)
    grids = np.stack([golden['grid_image'], golden['grid_view']], axis=1)
    samples = [
        DataSample(mask=torch.from_numpy(mask), cell_positions=torch.from_numpy(grid))
        for mask, grid in zip(masks, grids, strict=True)
    ]
    if masked_cells:  # their masks are made of whole cells
        for sample in samples:
            sample.set_data(
                dict(masked_cells=torch.stack([m[::8, ::8].flatten().nonzero()[:, 0] for m in sample.mask]))
            )
    return views, samples


@pytest.mark.parametrize('masked_cells', [True, False])
@pytest.mark.parametrize(
    ('network', 'size'),
    [
        ('resnet50', 64),
        pytest.param('resnet50', 224, marks=pytest.mark.slow),
        pytest.param('swinb', 224, marks=pytest.mark.slow),
    ],
)
def test_whole_step(golden_root, network, size, masked_cells):
    with np.load(golden_root / f'step_{network}_{size}.npz') as arrays:
        golden = dict(arrays)
    model = build(network, golden)
    losses = model.loss(*inputs(golden, masked_cells))
    total = sum(losses.values())
    total.backward()

    def close(ours, theirs):
        # Gradients of biases before a batch norm are rounding noise around zero in both codes.
        assert float(ours) == pytest.approx(float(theirs), rel=TOLERANCE, abs=1e-12)

    close(losses['loss_spatial'] + losses['loss_frequency'], golden['loss_rec'])
    close(losses['loss_global'], golden['global_loss'])
    close(losses['loss_local'], golden['pixel_loss'])
    close(total, golden['total_loss'])

    checked = 0
    their_names = named_as_theirs(map(str, golden['state_names']))
    gradients = {their_names[name]: p.grad for name, p in model.named_parameters() if p.grad is not None}
    for key in golden:
        if key.startswith('gradnorm_') and key != 'gradnorm_all_student_encoder':
            close(gradients[key.removeprefix('gradnorm_')].norm(), golden[key])
            checked += 1
    assert checked > 10
    encoder = [g for name, g in gradients.items() if name.startswith('online_encoder')]
    close(torch.stack([g.norm() for g in encoder]).norm(), golden['gradnorm_all_student_encoder'])

    count = golden['queue_first_columns_after'].shape[1]
    assert model.global_head.queue.pointer.tolist() == golden['queue_ptr_after'].tolist() == [count]
    np.testing.assert_allclose(
        model.global_head.queue.keys[:, :count], golden['queue_first_columns_after'], rtol=TOLERANCE, atol=1e-9
    )
    np.testing.assert_allclose(
        model.local_head.loss_module.center, golden['center_after'].flatten(), rtol=TOLERANCE, atol=1e-9
    )

    average_parameters(model.teacher_pairs(), float(golden['tau']))
    for ours, theirs in (
        ('teacher', 'branch_encoder'),
        ('global_head.teacher_projector', 'branch_projector'),
        ('local_head.teacher_projector', 'branch_class_projector'),
    ):
        total = sum(p.abs().sum() for p in model.get_submodule(ours).parameters())
        if theirs == 'branch_class_projector':
            total = total + model.local_head.projector.prototypes.out_features  # their weight_g, all ones
        close(total, golden[f'abs_sum_after_ema_{theirs}'])
