"""Mixed precision runs on CPUs, and its checkpoints are those of full precision."""

import torch
from mmengine.runner import Runner

from cmid_mm.checkpoints import load_checkpoint


def train(cfg, folder, **optim_wrapper):
    cfg.optim_wrapper.update(optim_wrapper)
    cfg.work_dir, cfg.experiment_name = str(folder), folder.name
    dtypes = set()
    runner = Runner.from_cfg(cfg)
    runner.model.backbone.conv1.register_forward_hook(lambda module, args, output: dtypes.add(output.dtype))
    runner.train()
    return runner, dtypes


def test_the_forward_pass_is_bfloat16_and_the_checkpoint_float32(tiny_config, tmp_path):
    runner, dtypes = train(tiny_config, tmp_path / 'run', type='CPUAmpOptimWrapper', accumulative_counts=2)
    assert dtypes == {torch.bfloat16}
    checkpoint = load_checkpoint(tmp_path / 'run/epoch_2.pth')
    weights = [value for value in checkpoint['state_dict'].values() if value.is_floating_point()]
    assert {value.dtype for value in weights} == {torch.float32}
    assert all(value.isfinite().all() for value in weights)
    # A run in full precision takes it up.
    tiny_config.update(resume=True, load_from=str(tmp_path / 'run/epoch_2.pth'))
    full, dtypes = train(tiny_config, tmp_path / 'full', type='OptimWrapper')
    assert full.iter == runner.iter
    assert full.optim_wrapper.optimizer.state_dict()['state'].keys() == checkpoint['optimizer']['state'].keys()
