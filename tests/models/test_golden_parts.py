"""Every part computes what the authors' code computed, in float64 (shared/golden, README there)."""

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS

from cmid_mm.models.heads import ReconstructionHead
from cmid_mm.models.losses import CenteredDistillationLoss, FocalFrequencyLoss, FocalL1Loss, InfoNCELoss, focal_l1
from cmid_mm.models.necks import PrototypeNeck
from cmid_mm.models.utils import cosine_momentum, pixel_mask


def load(golden_root, name):
    with np.load(golden_root / f'{name}.npz') as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files}


def assert_same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-12)


def test_focal_l1(golden_root):
    golden = load(golden_root, 'focal_l1')
    assert_same(focal_l1(golden['pred'], golden['target']), golden['loss'])


def test_reconstruction_losses_and_gradients(golden_root):
    golden = load(golden_root, 'reconstruction_loss')
    mask = pixel_mask(golden['mask'], golden['image'])
    pred = golden['reconstruction'].requires_grad_()
    spatial = FocalL1Loss()(pred, golden['image'], mask)
    frequency = FocalFrequencyLoss()(pred, golden['image'], mask)

    assert_same(spatial, golden['spatial'])
    assert_same(frequency, golden['frequency'])
    assert_same(spatial + frequency, golden['total'])
    assert_same(torch.autograd.grad(spatial, pred, retain_graph=True)[0], golden['grad_spatial'])
    assert_same(torch.autograd.grad(spatial + frequency, pred)[0], golden['grad_total'])


def test_global_loss(golden_root):
    golden = load(golden_root, 'global_loss')
    assert_same(InfoNCELoss(temperature=0.2)(golden['query'], golden['key'], golden['queue']), golden['loss'])


def test_local_loss_and_center_over_five_calls(golden_root):
    golden = load(golden_root, 'local_loss')
    loss = CenteredDistillationLoss(num_prototypes=golden['student_0'].shape[1]).double()
    calls = sum(name.startswith('student_') for name in golden)
    assert calls > 1
    for i in range(calls):
        loss.set_epoch(int(golden[f'epoch_{i}']))
        assert loss.teacher_temperature == pytest.approx(float(golden[f'temperature_{i}']), rel=1e-12)
        # The arrays are (images, prototypes, pairs); ours keep the prototypes last.
        value = loss(golden[f'student_{i}'].transpose(1, 2), golden[f'teacher_{i}'].transpose(1, 2))
        assert_same(value, golden[f'loss_{i}'])
        assert_same(loss.center, golden[f'center_{i}'].flatten())


def test_teacher_temperature_schedule(golden_root):
    schedule = load(golden_root, 'local_loss')['temperature_schedule']
    loss = CenteredDistillationLoss(num_prototypes=1, warmup_epochs=50)
    ours = []
    for epoch in range(len(schedule)):
        loss.set_epoch(epoch)
        ours.append(loss.teacher_temperature)
    assert_same(torch.tensor(ours, dtype=torch.double), schedule)


def prototype_neck(golden, with_norm):
    hidden, channels = golden['p_mlp.0.weight'].shape[:2]
    prototypes, out = golden['p_last_layer.weight_v'].shape[:2]
    neck = PrototypeNeck(channels, hidden, out, prototypes, with_norm).double()
    state = {
        name.removeprefix('p_'): value.squeeze(-1) if value.dim() == 3 else value
        for name, value in golden.items()
        if name.startswith('p_mlp')
    }
    # Statistics as before the one pass in training mode that the arrays record.
    for name in state:
        if 'running_mean' in name or 'num_batches' in name:
            state[name] = torch.zeros_like(state[name])
        elif 'running_var' in name:
            state[name] = torch.ones_like(state[name])
    state['prototypes.weight'] = golden['p_last_layer.weight_v'].squeeze(-1)
    neck.load_state_dict(state)
    return neck


def test_local_head_with_batch_norm(golden_root):
    golden = load(golden_root, 'local_head')
    neck, cells = prototype_neck(golden, with_norm=True), golden['input'].transpose(1, 2)
    assert_same(neck.train()(cells).transpose(1, 2), golden['out_train'])
    assert_same(neck.eval()(cells).transpose(1, 2), golden['out_eval_after_one_train_pass'])
    for name in ('mlp.1.running_mean', 'mlp.4.running_var'):
        assert_same(neck.state_dict()[name], golden[f'p_{name}'])


def test_local_head_without_norm(golden_root):
    golden = load(golden_root, 'local_head_nobn')
    neck = prototype_neck(golden, with_norm=False)
    assert_same(neck(golden['input'].transpose(1, 2)).transpose(1, 2), golden['out'])


def test_global_projector(golden_root):
    golden = load(golden_root, 'projector')
    hidden, channels = golden['p_layer.0.0.weight'].shape
    out = len(golden['p_layer.0.3.weight'])
    neck = MODELS.build(
        dict(type='MoCoV2Neck', in_channels=channels, hid_channels=hidden, out_channels=out, with_avg_pool=False)
    ).double()
    names = {'layer.0.0': 'mlp.0', 'layer.0.3': 'mlp.2'}
    neck.load_state_dict(
        {
            f'{ours}.{kind}': golden[f'p_{theirs}.{kind}']
            for theirs, ours in names.items()
            for kind in ('weight', 'bias')
        }
    )
    assert_same(neck((golden['input'],))[0], golden['out'])


def test_decoder(golden_root):
    golden = load(golden_root, 'decoder')
    stride = golden['out'].shape[-1] // golden['input'].shape[-1]
    head = ReconstructionHead(golden['input'].shape[1], stride).double()
    head.load_state_dict(
        {f'decoder.0.{kind}': golden[f'p_decoder_pred.0.{kind}'] for kind in ('weight', 'bias')}, strict=True
    )
    assert_same(head(golden['input']), golden['out'])


def test_momentum_schedule(golden_root):
    golden = load(golden_root, 'momentum_schedule')
    ours = [cosine_momentum(int(step), int(golden['max_steps']), base=0.996) for step in golden['step']]
    assert_same(torch.tensor(ours, dtype=torch.double), golden['tau'])
