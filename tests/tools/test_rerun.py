"""A run that was started again gives the same losses and weights; where it does not, the tool says what differs."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from cmid_mm.checkpoints import load_checkpoint


@pytest.fixture
def config(tiny_config, tmp_path) -> Path:
    """A run of 12 iterations as a file, with two workers that stay."""
    tiny_config.train_dataloader.update(num_workers=2, persistent_workers=True)
    tiny_config.train_dataloader.dataset.cache = str(tmp_path / 'index')
    tiny_config.dump(tmp_path / 'tiny.py')
    return tmp_path / 'tiny.py'


@pytest.fixture
def recorded(config, run_tool, tmp_path) -> Path:
    """Work folder of that run."""
    run_tool('train.py', config, '--work-dir', tmp_path / 'work')
    return tmp_path / 'work'


def _start(work_dir: Path) -> Path:
    (path,) = work_dir.glob('*/run.json')
    return path.parent


def _change(path: Path, pattern: str, text: str) -> None:
    changed, count = re.subn(pattern, text, path.read_text(), count=1)
    assert count == 1
    path.write_text(changed)


@pytest.mark.slow
def test_deterministic_runs_are_equal_bit_for_bit(config, run_tool, tmp_path):
    runs = []
    for name in ('first', 'second'):
        run_tool('train.py', config, '--work-dir', tmp_path / name, '--deterministic')
        start = _start(tmp_path / name)
        record = json.loads((start / 'run.json').read_text())
        assert record['deterministic']
        assert record['variables']['CUBLAS_WORKSPACE_CONFIG'] == ':4096:8'
        assert not Config.fromstring(record['config'], '.py').env_cfg.cudnn_benchmark
        runs.append(((start / 'first_losses.json').read_text(), load_checkpoint(tmp_path / name / 'epoch_2.pth')))
    (losses, first), (again, second) = runs
    assert losses.count('\n') == 12
    assert losses == again
    for name, weights in first['state_dict'].items():
        assert torch.equal(weights, second['state_dict'][name]), name


@pytest.mark.slow
def test_the_same_run_again_is_equal_and_a_changed_package_is_listed(recorded, run_tool):
    _change(_start(recorded) / 'run.json', '"torch": "[^"]+"', '"torch": "1.13.0"')
    printed = run_tool('rerun.py', recorded)
    assert 'equal: all losses of 12 iterations agree, bit for bit' in printed
    assert re.search(r'software: torch +1\.13\.0 +' + re.escape(version('torch')), printed)
    (again,) = recorded.glob('rerun-*')
    assert (again / 'rerun.log').is_file()
    assert len(list(recorded.glob('*/run.json'))) == 1, 'a second rerun must not compare with the first'


@pytest.mark.slow
def test_the_iteration_at_which_losses_part_is_named(recorded, run_tool, tmp_path):
    file = _start(recorded) / 'first_losses.json'
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[1]['loss_global'] *= 1 + 1e-6
    file.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    printed = run_tool('rerun.py', recorded, '--losses', 4, '--out', tmp_path / 'again', fails=True)
    assert re.search(r'not equal: iteration 2 of 4 is the first that differs, most of all in loss_global', printed)
    assert 'Traceback' not in printed
    printed = run_tool('rerun.py', recorded, '--losses', 4, '--out', tmp_path / 'more', '--tolerance', 1e-5)
    assert 'equal: all losses of 4 iterations agree within 1e-05' in printed


@pytest.mark.slow
def test_other_data_are_refused_by_name(recorded, run_tool, image_folder):
    (image_folder / '05.png').unlink()
    printed = run_tool('rerun.py', recorded, fails=True)
    assert re.search(r'rerun: the training data are not those of the run, .* 24 samples .* now there are 23 ', printed)
    assert not list(recorded.glob('rerun-*'))
    printed = run_tool('rerun.py', recorded, '--losses', 2, '--allow-other-data', fails=True)
    assert re.search(r'data: samples +24 +23', printed)
    assert 'not equal: iteration ' in printed


@pytest.mark.slow
def test_two_processes_are_started_again(config, tmp_path, repo, run_tool):
    launch = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    subprocess.run(
        [*launch, repo / 'tools/train.py', config, '--work-dir', tmp_path / 'work', '--launcher', 'pytorch'],
        check=True,
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(repo)),
    )
    assert json.loads((_start(tmp_path / 'work') / 'run.json').read_text())['processes'] == 2
    printed = run_tool('rerun.py', tmp_path / 'work', '--losses', 4)
    assert 'equal: all losses of 4 iterations agree, bit for bit' in printed


def test_a_folder_without_a_record_is_refused(run_tool, tmp_path):
    printed = run_tool('rerun.py', tmp_path, fails=True)
    assert re.search(r'rerun: .* holds no \*/run\.json; give the work folder of a run', printed)
