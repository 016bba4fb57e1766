import re
from importlib.metadata import version

import torch

from cmid_mm.engine.environment import environment, hardware, software, variables


def test_environment_names_what_a_rerun_needs():
    facts = environment()
    assert re.search(r'\d+ cores', facts['Hardware'])
    assert 'torch 2.' in facts['Versions']
    assert re.fullmatch(r'\d{4}-\d\d-\d\d \d\d:\d\d UTC', facts['Date'])


def test_every_installed_package_is_listed():
    found = software()
    assert found['torch'] == version('torch')
    assert {'mm-cmid', 'numpy', 'Python', 'system'} <= set(found)


def test_hardware_says_what_torch_computes_with():
    found = hardware()
    assert found['cores'] >= 1
    assert len(found['gpus']) == torch.cuda.device_count()
    assert found['instructions'] == torch.backends.cpu.get_cpu_capability()


def test_only_variables_that_change_a_run_are_kept(monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '3')
    monkeypatch.setenv('WANDB_API_KEY', 'secret')
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    found = variables()
    assert found['OMP_NUM_THREADS'] == '3'
    assert 'secret' not in found.values()
    assert 'CUDA_VISIBLE_DEVICES' not in found
