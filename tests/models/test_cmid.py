"""What a user of the algorithm would miss if it broke."""

import copy
from collections import Counter

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch.utils._python_dispatch import TorchDispatchMode

from cmid_mm.models.utils import fill_masked, pixel_mask

FAMILIES = dict(
    resnet=dict(type='MaskedResNet', depth=18),
    swin=dict(
        type='MaskedSwinTransformer',
        arch=dict(embed_dims=16, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2]),
        drop_path_rate=0.0,
        stage_cfgs=dict(block_cfgs=dict(window_size=2)),
    ),
    convnext=dict(type='MaskedConvNeXt', arch=dict(depths=[1, 1, 1, 1], channels=[8, 16, 32, 64])),
)


def cmid_config(family='resnet', queue_size=16, num_matches=3, with_norm=False, losses=None, **kwargs):
    return dict(
        type='CMID',
        backbone=FAMILIES[family],
        reconstruction_head=dict(type='ReconstructionHead', **(dict(losses=losses) if losses else {})),
        global_head=dict(
            type='GlobalContrastHead',
            projector=dict(type='MoCoV2Neck', hid_channels=32, out_channels=8),
            queue_size=queue_size,
        ),
        local_head=dict(
            type='LocalDistillationHead',
            projector=dict(
                type='PrototypeNeck', hid_channels=32, out_channels=8, num_prototypes=12, with_norm=with_norm
            ),
            num_matches=num_matches,
        ),
        **kwargs,
    )


def build(seed=0, **kwargs):
    torch.manual_seed(seed)
    model = MODELS.build(cmid_config(**kwargs))
    model.init_weights()
    model.set_max_steps(100)
    return model.train()


def evaluating(cfg):
    module = MODELS.build(cfg)
    module.eval()  # mmpretrain's backbones return None here
    return module


def batch(images=4, size=64, seed=0, masked_cells=None):
    """Masks drawn cell by cell or, with ``masked_cells``, that many in each view, whose places are then given too."""
    generator = torch.Generator().manual_seed(seed)
    cells = size // 32
    views = [torch.randn(images, 3, size, size, generator=generator) for _ in range(2)]
    places = torch.rand(images, 2, cells, cells, generator=generator)
    positions = torch.rand(images, 2, cells, cells, 2, generator=generator) * size
    samples = [DataSample(cell_positions=position) for position in positions]
    if masked_cells is None:
        blocks = places < 0.6
    else:
        index = places.flatten(2).argsort()[..., :masked_cells].sort().values
        blocks = torch.zeros_like(places).flatten(2).scatter(2, index, 1).view_as(places)
        for sample, own in zip(samples, index, strict=True):
            sample.set_data(dict(masked_cells=own))
    masks = blocks.repeat_interleave(8, 2).repeat_interleave(8, 3).to(torch.uint8)
    for sample, mask in zip(samples, masks, strict=True):
        sample.set_data(dict(mask=mask))
    return views, samples


@pytest.mark.parametrize('family', FAMILIES)
def test_every_family_learns_from_one_batch(family):
    model, data = build(family=family), batch()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    totals = []
    for _ in range(8):
        losses = model.loss(*data)
        # The contrast's other keys change from step to step, so only what is comparable is compared.
        totals.append(float(losses['loss_spatial'] + losses['loss_frequency'] + losses['loss_local']))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        model.update_teachers()
    assert totals[-1] < 0.9 * totals[0]


@pytest.mark.parametrize('masked_cells', [0, 1, 2, 4])
def test_decoding_masked_cells_alone_changes_nothing(masked_cells):
    whole = build(with_norm=True).double()
    alone = copy.deepcopy(whole)
    views, samples = batch(masked_cells=masked_cells)
    views = [view.double() for view in views]
    losses = alone.loss(views, samples)
    for sample in samples:
        sample.pop('masked_cells')
    expected = whole.loss(views, samples)
    for values in (expected, losses):
        sum(values.values()).backward()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-10, atol=1e-10, msg=name)
    for (name, own), other in zip(alone.named_parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-7, atol=1e-10, msg=name)


def test_losses_of_a_user_see_whole_images():
    @MODELS.register_module(force=True)
    class MeanErrorOfTest(torch.nn.Module):
        def forward(self, pred, target, mask):
            assert pred.shape == target.shape == (4, 3, 64, 64)
            assert mask.shape == (4, 1, 64, 64)
            return ((pred - target) * mask).square().mean()

    torch.manual_seed(0)
    model = MODELS.build(cmid_config(losses=dict(own=dict(type='MeanErrorOfTest'))))
    model.set_max_steps(100)
    assert set(model.loss(*batch(masked_cells=2))) == {'loss_own', 'loss_global', 'loss_local'}


@pytest.mark.parametrize('family', FAMILIES)
def test_every_student_parameter_gets_a_gradient_and_no_teacher_does(family):
    model = build(family=family, with_norm=True)
    sum(model.loss(*batch()).values()).backward()
    for name, parameter in model.named_parameters():
        if 'teacher' in name:
            assert parameter.grad is None, name
            assert not parameter.requires_grad, name
        else:
            assert parameter.grad is not None, name


def test_a_masked_pixel_changes_nothing_but_the_channel_mean():
    views, samples = batch(images=1)
    mask = samples[0].mask[:1]
    pixels = pixel_mask(mask, views[0])
    hidden = torch.rand_like(views[0]) * pixels
    # Noise under the mask whose mean is zero leaves the image's channel means as they were.
    hidden = hidden - pixels * hidden.sum(dim=(2, 3), keepdim=True) / pixels.sum()
    backbone = build().backbone
    backbone.eval()
    seen, changed = (backbone(fill_masked(image, pixels), mask)[-1] for image in (views[0], views[0] + hidden))
    torch.testing.assert_close(changed, seen, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('family', FAMILIES)
def test_backbone_without_mask_is_the_plain_one(family):
    masked = evaluating(FAMILIES[family])
    torch.nn.init.normal_(masked.mask_token)
    plain = evaluating(type(masked).plain_config(FAMILIES[family]))
    state = masked.state_dict()
    state.pop('mask_token')
    plain.load_state_dict(state, strict=True)
    image = torch.randn(2, 3, 64, 64)
    ours, theirs = masked(image)[-1], plain(image)[-1]
    assert ours.shape == (2, masked.out_channels, 2, 2)
    assert torch.equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize(
    'cfg',
    [dict(type='MaskedResNet', depth=depth) for depth in (18, 34, 50, 101)]
    + [dict(type='MaskedSwinTransformer', arch=arch) for arch in ('tiny', 'small', 'base', 'large')],
    ids=lambda cfg: f'{cfg["type"]}-{cfg.get("depth", cfg.get("arch"))}',
)
def test_every_size_gives_a_stride_32_map_and_extracts(cfg):
    masked = evaluating(cfg)
    with torch.no_grad():
        feature = masked(torch.randn(1, 3, 224, 224), torch.ones(1, 56, 56))[-1]
    assert feature.shape == (1, masked.out_channels, 7, 7)
    plain = MODELS.build(type(masked).plain_config(cfg))
    assert set(masked.state_dict()) - set(plain.state_dict()) == {'mask_token'}
    assert set(plain.state_dict()) <= set(masked.state_dict())


def test_mask_modes():
    image, mask = torch.randn(1, 3, 64, 64), torch.ones(1, 16, 16)
    added, replaced = (evaluating(dict(FAMILIES['resnet'], mask_mode=mode)) for mode in ('add', 'replace'))
    replaced.load_state_dict(added.state_dict())
    # A token of zeros adds nothing; replacing everything by it hides the image.
    assert torch.equal(added(image, mask)[-1], added(image)[-1])
    assert torch.equal(replaced(image, mask)[-1], replaced(torch.randn_like(image), mask)[-1])
    with pytest.raises(ValueError, match=r"mask_mode='swap' is not one of"):
        MODELS.build(dict(FAMILIES['resnet'], mask_mode='swap'))


def test_mask_of_another_size_is_refused():
    backbone = MODELS.build(FAMILIES['swin'])
    with pytest.raises(ValueError, match='make the mask at a quarter of the image size'):
        backbone(torch.randn(1, 3, 64, 64), torch.ones(1, 8, 8))


def test_teachers_start_as_copies_and_follow_the_student():
    model = build(with_norm=True)
    for student, teacher in model.teacher_pairs():
        for name, value in teacher.state_dict().items():
            assert torch.equal(value, student.state_dict()[name]), name
    weight, old = model.backbone.conv1.weight, model.teacher.conv1.weight.clone()
    with torch.no_grad():
        weight.add_(1.0)
    model.backbone.bn1.running_mean.fill_(7.0)
    model.update_teachers()
    torch.testing.assert_close(model.teacher.conv1.weight, old + (1 - 0.996), rtol=0, atol=1e-6)
    assert not model.teacher.bn1.running_mean.eq(7.0).any(), 'batch statistics are not averaged'
    assert int(model.teacher_step) == 1


def test_a_teacher_that_nobody_updates_is_refused():
    model = MODELS.build(cmid_config()).train()
    with pytest.raises(RuntimeError, match='TeacherHook'):
        model.loss(*batch())


def test_no_head_is_refused():
    with pytest.raises(ValueError, match='all three heads are None'):
        MODELS.build(dict(type='CMID', backbone=FAMILIES['resnet']))


@pytest.mark.parametrize(
    ('left_out', 'keys'),
    [
        ('reconstruction_head', {'loss_global', 'loss_local'}),
        ('global_head', {'loss_spatial', 'loss_frequency', 'loss_local'}),
        ('local_head', {'loss_spatial', 'loss_frequency', 'loss_global'}),
    ],
)
def test_each_branch_can_be_left_out_alone(left_out, keys):
    whole, part = build(), MODELS.build(cmid_config() | {left_out: None})
    part.load_state_dict({name: whole.state_dict()[name] for name in part.state_dict()})
    part.set_max_steps(100)
    expected, losses = whole.loss(*batch()), part.train().loss(*batch())
    assert set(losses) == keys
    for name, value in losses.items():
        torch.testing.assert_close(value, expected[name])


@pytest.mark.parametrize(('images', 'queue_size'), [(4, 3), (4, 8), (3, 8), (5, 7)])
def test_any_queue_and_batch_size_train(images, queue_size):
    model = build(queue_size=queue_size)
    for step in range(3):
        losses = model.loss(*batch(images, seed=step))
        assert all(torch.isfinite(value) for value in losses.values())
    torch.testing.assert_close(model.global_head.queue.keys.norm(dim=0), torch.ones(queue_size))


def test_fewer_cells_than_matches_uses_all_cells():
    all_cells, more = build(num_matches=4), build(num_matches=20)
    assert torch.equal(all_cells.loss(*batch())['loss_local'], more.loss(*batch())['loss_local'])


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_stays_close_to_full(dtype):
    full, half = build(with_norm=True), build(with_norm=True)
    expected = full.loss(*batch())
    with torch.autocast('cpu', dtype=dtype):
        losses = half.loss(*batch())
    for name, value in losses.items():
        assert value.dtype == torch.float32, name
        torch.testing.assert_close(value, expected[name], rtol=0.05, atol=0.02)
    sum(losses.values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in half.parameters() if p.grad is not None)


def test_channels_last_computes_the_same():
    plain, last = build(with_norm=True), build(with_norm=True, channels_last=True)
    assert last.backbone.layer1[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
    expected, losses = plain.loss(*batch()), last.loss(*batch())
    for name, value in losses.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)


def test_reconstruct_shows_what_the_student_saw():
    model, (views, samples) = build().eval(), batch(images=2)
    mask = torch.stack([sample.mask[0] for sample in samples])
    seen, reconstruction = model.reconstruct(views[0], mask)
    pixels = pixel_mask(mask, views[0]).bool().expand_as(seen)
    assert reconstruction.shape == views[0].shape
    assert torch.equal(seen[~pixels], views[0][~pixels])
    assert seen[0][pixels[0]].unique().numel() <= 3


@pytest.mark.slow
def test_compiled_networks_compute_the_same():
    # The default backend writes C++ and cannot where the path of torch holds a space; what it is given is the same.
    plain, compiled = build(), build(compile_networks=dict(backend='aot_eager'))
    data = batch()
    outputs = [model.loss(*data) for model in (plain, compiled)]
    for key, value in outputs[0].items():
        torch.testing.assert_close(outputs[1][key], value, rtol=1e-4, atol=1e-5, msg=key)
    for losses in outputs:
        sum(losses.values()).backward()
    for (name, ours), theirs in zip(compiled.named_parameters(), plain.parameters(), strict=True):
        if theirs.grad is not None:
            assert (ours.grad - theirs.grad).norm() <= 1e-3 * theirs.grad.norm() + 1e-6, name
    assert compiled.state_dict().keys() == plain.state_dict().keys()


def test_joint_views_share_their_batch_statistics():
    apart, joint = build(), build(joint_views=True)
    views, samples = batch()
    for model in (apart, joint):
        model.loss([views[0], views[0] + 3], samples)
    means = [model.teacher.bn1.running_mean for model in (apart, joint)]
    assert not torch.allclose(*means)
    assert int(joint.teacher.bn1.num_batches_tracked) == 1
    assert int(apart.teacher.bn1.num_batches_tracked) == 2


@pytest.mark.parametrize('with_norm', [False, True])
def test_views_in_one_pass_give_what_single_passes_give(with_norm):
    torch.manual_seed(0)
    neck = MODELS.build(
        dict(type='PrototypeNeck', in_channels=6, hid_channels=8, out_channels=4, num_prototypes=5, with_norm=with_norm)
    )
    alone = copy.deepcopy(neck)
    views = [torch.randn(4, 3, 6), torch.randn(4, 3, 6)]
    for together, view in zip(neck.forward_views(views), views, strict=True):
        torch.testing.assert_close(together, alone(view))
    for key, value in alone.state_dict().items():
        torch.testing.assert_close(neck.state_dict()[key], value, msg=key)


# What a step must not do is counted, not timed: counts do not depend on the machine.
class OperationCounter(TorchDispatchMode):
    """Count operations, and the largest tensor that each makes."""

    def __init__(self):
        super().__init__()
        self.counts, self.largest = Counter(), Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        self.counts[name] += 1
        if isinstance(result, torch.Tensor):
            self.largest[name] = max(self.largest[name], result.numel())
        return result


def one_step(model, data):
    with OperationCounter() as counter:
        sum(model.loss(*data).values()).backward()
        model.update_teachers()
    return counter


@pytest.mark.parametrize('masked_cells', [None, 2])
def test_one_transform_a_view_and_no_copy_of_the_queue(masked_cells):
    model = build(queue_size=50_000)
    counter = one_step(model, batch(masked_cells=masked_cells))
    # One for the loss and one for its gradient.
    assert counter.counts['_fft_r2c'] + counter.counts['_fft_c2c'] == 2 * 2
    queue = model.global_head.queue.keys.numel()
    assert max(counter.largest[name] for name in ('clone', 'copy_', '_to_copy', 'cat')) < queue


@pytest.mark.parametrize('masked_cells', [None, 2])
@pytest.mark.parametrize('family', FAMILIES)
def test_the_host_never_looks_at_the_device(family, masked_cells):
    # Tensors of the meta device have no values: to look at one, as a synchronisation would, raises an error.
    views, samples = batch(masked_cells=masked_cells)
    model = build(family=family, queue_size=64).to('meta')
    counter = one_step(model, ([view.to('meta') for view in views], [sample.to('meta') for sample in samples]))
    assert counter.counts['_local_scalar_dense'] == 0
    assert counter.counts['nonzero'] == 0


@pytest.mark.parametrize(('family', 'passes'), [('resnet', 2), ('swin', 1)])
def test_views_go_through_in_one_pass_where_no_norm_mixes_them(family, passes):
    model = build(family=family)
    calls = Counter()
    for name in ('backbone', 'teacher'):
        model.get_submodule(name).register_forward_hook(lambda *_, name=name: calls.update([name]))
    model.loss(*batch())
    assert calls == dict(backbone=passes, teacher=passes)
