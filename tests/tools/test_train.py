"""The command line overrides the config as it says."""

import importlib.util
import os
import sys

import pytest
import torch
from mmengine.config import Config


@pytest.fixture
def merged(repo, monkeypatch):
    """The config that tools/train.py makes of a command line."""
    spec = importlib.util.spec_from_file_location('cmid_mm_train_tool', repo / 'tools/train.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def _merged(*arguments: str, gpu: bool = False) -> Config:
        monkeypatch.setattr(sys, 'argv', ['train.py', str(repo / 'configs/cmid/cmid_r50_millionaid.py'), *arguments])
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
        args = tool.parse_args()
        return tool.merge_args(Config.fromfile(args.config), args)

    return _merged


def test_the_work_folder_is_named_after_the_config(merged):
    assert merged().work_dir == 'work_dirs/cmid_r50_millionaid'
    assert merged('--work-dir', 'here').work_dir == 'here'


def test_resume_takes_the_last_checkpoint_or_the_one_named(merged):
    assert not merged().resume
    assert (merged('--resume').resume, merged('--resume').load_from) == (True, None)
    assert merged('--resume', 'epoch_3.pth').load_from == 'epoch_3.pth'


def test_mixed_precision_scales_the_loss_of_fp16_alone(merged):
    for arguments, dtype, scale in (
        (['--amp'], 'float16', 'dynamic'),
        (['--amp', 'fp16'], 'float16', 'dynamic'),
        (['--amp', 'bf16'], 'bfloat16', 1.0),
    ):
        wrapper = merged(*arguments, gpu=True).optim_wrapper
        assert (wrapper.type, wrapper.dtype, wrapper.loss_scale) == ('AmpOptimWrapper', dtype, scale)


def test_half_precision_without_a_gpu_is_refused(merged):
    for arguments in (['--amp'], ['--amp', 'fp16'], ['--cfg-options', 'optim_wrapper.type=AmpOptimWrapper']):
        with pytest.raises(ValueError, match='needs a GPU, and there is none; leave it out'):
            merged(*arguments)


def test_bfloat16_runs_on_a_cpu(merged):
    assert merged('--amp', 'bf16').optim_wrapper.type == 'CPUAmpOptimWrapper'


def test_the_learning_rate_follows_the_batch_of_all_processes(merged, monkeypatch):
    monkeypatch.setenv('WORLD_SIZE', '2')
    for arguments, factor in (
        ([], 1.0),
        (['--auto-scale-lr'], 0.25),
        (['--auto-scale-lr', 'sqrt'], 0.5),
        (['--auto-scale-lr', '--cfg-options', 'train_dataloader.batch_size=64'], 0.5),
    ):
        cfg = merged(*arguments, '--launcher', 'pytorch')
        assert cfg.optim_wrapper.optimizer.lr == pytest.approx(4e-3 * factor), arguments


def test_deterministic_fixes_the_order_of_every_sum(merged, monkeypatch):
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', '')
    monkeypatch.delenv('CUBLAS_WORKSPACE_CONFIG')
    cfg = merged('--deterministic', '--cfg-options', 'randomness.seed=None')
    assert cfg.randomness == dict(seed=0, deterministic=True)
    assert not cfg.env_cfg.cudnn_benchmark
    assert cfg.env_cfg.mp_cfg.mp_start_method == 'fork'
    assert os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':4096:8'
    assert not merged().randomness.deterministic


def test_options_reach_nested_settings(merged):
    cfg = merged('--cfg-options', 'train_cfg.max_epochs=3', 'model.backbone.depth=18')
    assert (cfg.train_cfg.max_epochs, cfg.model.backbone.depth) == (3, 18)


def test_other_launchers_need_gpus(merged):
    with pytest.raises(ValueError, match=r'use tools/dist_train\.sh on CPUs'):
        merged('--launcher', 'slurm')
