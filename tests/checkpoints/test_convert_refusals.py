"""Nothing is converted by half: what does not fit, cannot be trusted or would be overwritten is refused by name."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpretrain.registry import MODELS

from cmid_mm.checkpoints import CheckpointError, convert_checkpoint, load_checkpoint

RESNET = dict(type='mmpretrain.ResNet', depth=18, base_channels=8, stem_channels=8)
VIT = dict(
    type='mmpretrain.VisionTransformer',
    arch=dict(embed_dims=192, num_layers=12, num_heads=3, feedforward_channels=768),
    img_size=64,
)


def backbone(cfg):
    return {name: value.clone() for name, value in MODELS.build(dict(cfg)).state_dict().items()}


@pytest.fixture(scope='module')
def resnet():
    return backbone(RESNET)


@pytest.fixture(scope='module')
def vit():
    return backbone(VIT)


def openmmlab(state):
    return dict(state_dict={f'backbone.{name}': value for name, value in state.items()})


def removable(state):
    """Keys whose loss must be seen; a count of batches is no weight."""
    return sorted(name for name in state if not name.endswith('num_batches_tracked'))


def test_a_stem_that_is_missing_whole_is_named(tmp_path, resnet):
    whole = {name: value for name, value in resnet.items() if not name.startswith(('conv1', 'bn1'))}
    torch.save(openmmlab(whole), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='its weights are 5 missing '):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth', 'openmmlab')


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_missing_weights_are_named(tmp_path_factory, resnet, data):
    folder = tmp_path_factory.mktemp('missing')
    lost = data.draw(st.sets(st.sampled_from(removable(resnet)), min_size=1, max_size=40))
    torch.save(openmmlab({k: v for k, v in resnet.items() if k not in lost}), folder / 'a.pth')
    with pytest.raises(CheckpointError, match=rf'{len(lost)} missing') as caught:
        convert_checkpoint(folder / 'a.pth', folder / 'b.pth', 'openmmlab')
    first = [name for name in resnet if name in lost][:3]
    assert ', '.join(first) in str(caught.value)
    assert not (folder / 'b.pth').exists()


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_missing_weights_of_a_vit_are_named(tmp_path_factory, vit, data):
    folder = tmp_path_factory.mktemp('missing')
    lost = data.draw(st.sets(st.sampled_from(removable(vit)), min_size=1, max_size=3))
    torch.save(openmmlab({k: v for k, v in vit.items() if k not in lost}), folder / 'a.pth')
    # Without its class token it is another network, whose first position is then one too many.
    with pytest.raises(CheckpointError, match='|'.join([*lost, 'make no square'])):
        convert_checkpoint(folder / 'a.pth', folder / 'b.pth', 'openmmlab')


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_weights_of_another_shape_are_named(tmp_path_factory, resnet, data):
    folder = tmp_path_factory.mktemp('shape')
    told = ('conv1.weight', 'layer1.0.conv1.weight')  # by their shapes: all others would then be wrong
    name = data.draw(st.sampled_from([name for name in removable(resnet) if name not in told]))
    grown = torch.cat([resnet[name], resnet[name][:1]])
    torch.save(openmmlab(resnet | {name: grown}), folder / 'a.pth')
    with pytest.raises(CheckpointError, match=rf'1 of another shape \({name} .*it is not whole, or not of openmmlab'):
        convert_checkpoint(folder / 'a.pth', folder / 'b.pth')


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), first=st.sampled_from(['pth', 'safetensors']))
def test_both_formats_hold_the_same_bits(tmp_path_factory, resnet, seed, first):
    folder, generator = tmp_path_factory.mktemp('round'), torch.Generator().manual_seed(seed)
    state = {
        name: torch.randn(value.shape, generator=generator) if value.is_floating_point() else value
        for name, value in resnet.items()
    }
    torch.save(openmmlab(state), folder / 'a.pth')
    second = 'safetensors' if first == 'pth' else 'pth'
    one = convert_checkpoint(folder / 'a.pth', folder / f'b.{first}', 'openmmlab')
    two = convert_checkpoint(one.out, folder / f'c.{second}')
    three = convert_checkpoint(two.out, folder / f'd.{first}')
    assert two.source == three.source == 'cmid_mm'
    for file in (one.out, two.out, three.out):
        loaded = load_checkpoint(file)
        assert loaded['state_dict'].keys() == state.keys()
        assert all(torch.equal(value, state[name]) for name, value in loaded['state_dict'].items())
        assert loaded['meta'] == load_checkpoint(one.out)['meta']
    assert one.facts['source_sha256'] == load_checkpoint(three.out)['meta']['source_sha256']


def test_weights_that_nothing_takes_are_named(tmp_path, resnet):
    torch.save(openmmlab(resnet | {'layer1.0.se.fc.weight': torch.ones(1)}), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'1 unexpected \(layer1.0.se.fc.weight\)'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth')


@pytest.mark.parametrize(
    ('file', 'message'),
    [
        (dict(model=dict(a=torch.ones(1), b=torch.ones(1))), 'is of no known layout, its first keys are a, b;'),
        (dict(epoch=1, weights='none'), 'is of no known layout, its first keys are epoch, weights;'),
        ({}, 'its first keys are none;'),
        ([torch.ones(1)], 'holds a list, no dict of weights'),
        (
            {'blocks.0.attn.qkv.weight': torch.ones(3, 1), 'mask_token': torch.ones(1)},
            r'could be of timm, rvsa, which have such keys \(blocks.0.attn.qkv.weight, mask_token\)',
        ),
    ],
)
def test_unknown_layouts_are_shown(tmp_path, file, message):
    torch.save(file, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=message):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth')


def test_a_file_of_another_source_is_refused(tmp_path, resnet):
    torch.save(openmmlab(resnet), tmp_path / 'a.pth')
    with pytest.raises(
        CheckpointError,
        match=r"no file of moco .*under 'encoder_q.' among its keys \(backbone.conv1.weight, .*check --from",
    ):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth', 'moco')
    with pytest.raises(ValueError, match='files of openmmlab hold no teacher'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth', role='teacher')


def test_a_swin_without_its_last_blocks_is_not_taken_for_a_smaller_one(tmp_path):
    state = backbone(dict(type='mmpretrain.SwinTransformer', arch='tiny'))
    cut = {name: value for name, value in state.items() if 'stages.2.blocks.4.' not in name and 'blocks.5.' not in name}
    torch.save(openmmlab(cut), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'26 missing \(stages.2.blocks.4.norm1.weight'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth')


def test_a_resnet_of_too_many_blocks_is_refused(tmp_path, resnet):
    torch.save(openmmlab(resnet | {'layer1.9.conv1.weight': torch.ones(1)}), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'cannot be converted from openmmlab: no ResNet .* has \[10, 2, 2, 2\]'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth')


def test_a_vit_of_no_known_size_is_refused(tmp_path):
    arch = dict(VIT['arch'], embed_dims=96)
    state = backbone(dict(VIT, arch=arch))
    torch.save(openmmlab(state), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='no Vision Transformer of width 96, MLP 768 and 12 layers'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth')


def test_fine_tuned_rvsa_is_refused_with_the_reason(tmp_path):
    file = dict(
        model={'blocks.0.attn.qkv.weight': torch.ones(3, 1), 'blocks.0.attn.sampling_angles.2.bias': torch.ones(1)}
    )
    torch.save(file, tmp_path / 'a.pth')
    with pytest.raises(
        CheckpointError, match='windows of varied size, which no backbone here has; give the file of its'
    ):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth')


def test_copies_of_a_tensor_must_agree(tmp_path):
    file = {'conv1.weight': torch.zeros(8, 3, 7, 7), 'encoder.0.weight': torch.ones(8, 3, 7, 7)}
    file['encoder.4.0.conv1.weight'] = torch.ones(8, 8, 3, 3)
    torch.save(dict(model_state_dict=file), tmp_path / 'a.pth')
    with pytest.raises(
        CheckpointError, match=r'no file of sen12ms, where conv1.weight and encoder.0.weight are the same'
    ):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth')


class Trap:
    """Creates a file when it is unpickled, as a malicious checkpoint could run anything."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_in_a_file_runs_only_when_it_is_trusted(tmp_path, resnet):
    torch.save(openmmlab(resnet) | dict(hook=Trap(tmp_path / 'sprung')), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'could run code on loading.*--trust-checkpoint'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert not (tmp_path / 'sprung').exists()
    assert not (tmp_path / 'b.pth').exists()
    convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth', trusted=True)
    assert (tmp_path / 'sprung').exists()


def test_files_to_write_are_checked_first(tmp_path, resnet):
    torch.save(openmmlab(resnet), tmp_path / 'a.pth')
    (tmp_path / 'b.pth').write_text('precious')
    with pytest.raises(FileExistsError, match=r'b.pth exists; give another name or remove it'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert (tmp_path / 'b.pth').read_text() == 'precious'
    with pytest.raises(ValueError, match=r'c.bin does not end in one of'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'c.bin')
    with pytest.raises(FileNotFoundError, match=r'none.pth is no checkpoint file; check the path'):
        convert_checkpoint(tmp_path / 'none.pth', tmp_path / 'c.pth')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.pth', 'b.pth']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(source='imagenet'), "source='imagenet' is none of auto, cmid, "),
        (dict(role='head'), "role='head' is not one of"),
        (dict(mean=[1.0]), 'do not go together'),
        (dict(mean=[1.0], std=[1.0, 2.0]), 'do not go together'),
        (dict(image_size=96), 'image_size=96 has no meaning for a resnet'),
        (dict(window_size=12), 'window_size=12 has no meaning for a resnet'),
    ],
)
def test_arguments_are_checked(tmp_path, resnet, arguments, message):
    torch.save(openmmlab(resnet), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=message):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth', **arguments)


@pytest.mark.slow
def test_the_command_reports_and_names_the_format(tmp_path, resnet, run_tool):
    torch.save(openmmlab(resnet) | dict(hook=Trap(tmp_path / 'sprung')), tmp_path / 'a.pth')

    def run(*arguments, fails=False):
        return run_tool('convert_checkpoint.py', tmp_path / 'a.pth', *arguments, fails=fails)

    said = run(tmp_path / 'b.pth', fails=True)
    assert said.splitlines()[-1].startswith('convert_checkpoint: ')
    assert 'could run code on loading' in said
    assert not (tmp_path / 'sprung').exists()
    said = run(tmp_path / 'b', '--to', 'safetensors', '--trust-checkpoint')
    assert f'as openmmlab: {len(resnet)} weights used, 0 of them renamed' in said
    assert 'loads strictly into mmpretrain.ResNet' in said
    assert 'normalisation: unknown; look it up' in said
    assert load_checkpoint(tmp_path / 'b.safetensors')['meta']['source'] == 'openmmlab'
    assert 'b.pth does not end in .safetensors' in run(tmp_path / 'b.pth', '--to', 'safetensors', fails=True)
    assert 'exists; give another name' in run(tmp_path / 'b.safetensors', '--trust-checkpoint', fails=True)
