"""An extracted backbone is the one that was trained, in the class that tasks use."""

import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_checkpoint as mmengine_load
from mmpretrain.registry import MODELS

from cmid_mm.checkpoints import CheckpointError, extract_backbone, load_checkpoint
from cmid_mm.checkpoints.config_text import parse_config_text


@pytest.fixture
def trained(tiny_config, tmp_path):
    """The model and the checkpoint of one step."""
    tiny_config.train_dataloader.batch_size = 24
    runner = Runner.from_cfg(tiny_config)
    runner.train()
    return runner.model, tmp_path / 'work/epoch_2.pth'


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_student_and_teacher_come_out_whole(trained, tmp_path, suffix):
    model, checkpoint = trained
    image = torch.randn(2, 3, 64, 64)
    for role, network in (('student', model.backbone), ('teacher', model.teacher)):
        out = extract_backbone(checkpoint, tmp_path / f'{role}{suffix}', role, image_size=64)
        # As a task loads it: by init_cfg, through mmengine, into the plain class.
        plain = MODELS.build(
            dict(
                type='mmpretrain.ResNet',
                depth=18,
                stem_channels=8,
                base_channels=8,
                init_cfg=dict(type='Pretrained', checkpoint=str(out)),
            )
        )
        plain.init_weights()
        plain.eval()
        network.eval()
        network.to(memory_format=torch.contiguous_format)  # as the plain class computes
        assert torch.equal(plain(image)[-1], network(image)[-1])
        assert set(load_checkpoint(out)['state_dict']) == set(plain.state_dict())


def test_facts_travel_with_the_weights(trained, tmp_path):
    out = extract_backbone(trained[1], tmp_path / 'out.pth', image_size=64)
    meta = load_checkpoint(out)['meta']
    assert meta['backbone']['type'] == 'mmpretrain.ResNet'
    assert (meta['role'], meta['epoch']) == ('student', 2)
    assert meta['normalisation'] == dict(mean=[86.18235, 91.9275, 85.374], std=[34.6545, 34.476, 35.8785])
    assert meta['channel_order'] == 'RGB'
    backbone = MODELS.build(meta['backbone'])
    mmengine_load(backbone, str(out), strict=True)


def test_weights_that_do_not_fit_are_refused(trained, tmp_path):
    loaded = load_checkpoint(trained[1])
    loaded['meta']['cfg'] = loaded['meta']['cfg'].replace('depth=18', 'depth=34')
    torch.save(loaded, tmp_path / 'wrong.pth')
    with pytest.raises(CheckpointError, match='its weights do not fit'):
        extract_backbone(tmp_path / 'wrong.pth', tmp_path / 'out.pth', image_size=64)
    assert not (tmp_path / 'out.pth').exists()


def test_other_files_are_refused(tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.ones(1))), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='is no training checkpoint'):
        extract_backbone(tmp_path / 'a.pth', tmp_path / 'out.pth')
    with pytest.raises(ValueError, match='does not end in one of'):
        extract_backbone(tmp_path / 'a.pth', tmp_path / 'out.txt')
    with pytest.raises(ValueError, match="role='head' is not one of"):
        extract_backbone(tmp_path / 'a.pth', tmp_path / 'out.pth', role='head')


@pytest.mark.slow
def test_the_command_says_what_it_did_or_why_not(trained, tmp_path, repo):
    command = [sys.executable, str(repo / 'tools/extract_backbone.py')]
    done = subprocess.run(
        [*command, trained[1], tmp_path / 'out.safetensors', '--image-size', '64'], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert 'loads strictly and gives the same features' in done.stdout
    failed = subprocess.run([*command, tmp_path / 'none.pth', tmp_path / 'out.pth'], capture_output=True, text=True)
    assert failed.returncode != 0
    assert failed.stderr.splitlines()[-1].startswith('extract_backbone: ')


def test_config_text_is_read_and_not_run(repo):
    cfg = Config.fromfile(repo / 'configs/cmid/cmid_swin-b_millionaid.py')
    assert parse_config_text(cfg.pretty_text) == cfg._cfg_dict.to_dict()
    with pytest.raises(ValueError, match='malformed node'):
        parse_config_text("a = __import__('os').getcwd()")
