"""The launchers in tools/ and `mim train`: from anywhere, with spaces in every path."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPO = Path(__file__).resolve().parents[1]
# Takes train.py's place: joins the others as torchrun's variables say and writes down what it was given.
JOIN = """
import os, sys, torch
torch.distributed.init_process_group('gloo')
total = torch.tensor(1.0)
torch.distributed.all_reduce(total)
with open(os.environ['SEEN'] + os.environ['RANK'], 'w') as file:
    print(int(total), *sys.argv[1:], sep='\\n', file=file)
torch.distributed.destroy_process_group()  # without it gloo's threads now and then abort the exit
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def _run(script: Path, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
    env = {'PATH': os.environ['PATH'], 'HOME': str(cwd), 'PYTHON': sys.executable, **variables}
    command = [str(script), *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def tools(tmp_path) -> Path:
    folder = tmp_path / 'a checkout' / 'tools'
    folder.mkdir(parents=True)
    for name in ('launch.sh', 'dist_train.sh', 'dist_test.sh', 'slurm_train.sh'):
        shutil.copy2(REPO / 'tools' / name, folder)
    for name in ('train.py', 'test.py'):
        (folder / name).write_text(JOIN)
    return folder


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / 'my config.py'
    path.touch()
    return path


@pytest.mark.parametrize(('script', 'given'), [('dist_train.sh', 1), ('dist_test.sh', 2), ('slurm_train.sh', 2)])
def test_missing_arguments_give_the_usage(tools, tmp_path, script, given):
    run = _run(tools / script, *['x'] * given, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.startswith('usage: ')
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ('script', 'arguments'),
    [
        ('dist_train.sh', ('gone.py', '2')),
        ('dist_test.sh', ('gone.py', 'a.pth', '2')),
        ('slurm_train.sh', ('gpu', 'job', 'gone.py')),
    ],
)
def test_missing_config_is_named(tools, tmp_path, script, arguments):
    run = _run(tools / script, *arguments, cwd=tmp_path)
    assert run.returncode == 2
    assert f'there is no config file gone.py, seen from {tmp_path}.' in run.stderr


def test_missing_checkpoint_is_named(tools, config, tmp_path):
    run = _run(tools / 'dist_test.sh', config.name, 'gone.pth', '2', cwd=tmp_path)
    assert run.returncode == 2
    assert f'there is no checkpoint gone.pth, seen from {tmp_path}.' in run.stderr


@pytest.mark.slow
def test_testing_is_given_its_arguments(tools, config, tmp_path):
    (tmp_path / 'my weights.pth').touch()
    run = _run(
        *(tools / 'dist_test.sh', config.name, 'my weights.pth', '2', '--show-dir', 'my pictures'),
        cwd=tmp_path,
        PORT=str(_free_port()),
        SEEN=str(tmp_path / 'seen '),
    )
    assert run.returncode == 0, run.stderr
    given = [config.name, 'my weights.pth', '--launcher', 'pytorch', '--show-dir', 'my pictures']
    assert (tmp_path / 'seen 1').read_text().splitlines() == ['2', *given]


@pytest.mark.parametrize('gpus', ['0', '-1', 'two', '1.5', ''])
def test_number_of_processes_is_checked(tools, config, tmp_path, gpus):
    run = _run(tools / 'dist_train.sh', config.name, gpus, cwd=tmp_path)
    assert run.returncode == 2
    assert f"is '{gpus}' and must be a whole number from 1" in run.stderr


@pytest.mark.slow
def test_processes_of_one_machine_meet(tools, config, tmp_path):
    run = _run(
        *(tools / 'dist_train.sh', config.name, '2', '--work-dir', 'my runs', '--cfg-options', 'a.b=[1, 2]'),
        cwd=tmp_path,
        PORT=str(_free_port()),
        SEEN=str(tmp_path / 'seen '),
    )
    assert run.returncode == 0, run.stderr
    given = [config.name, '--launcher', 'pytorch', '--work-dir', 'my runs', '--cfg-options', 'a.b=[1, 2]']
    for rank in '01':
        assert (tmp_path / f'seen {rank}').read_text().splitlines() == ['2', *given]


@pytest.mark.slow
def test_two_machines_meet(tools, config, tmp_path):
    shared = {
        'PATH': os.environ['PATH'],
        'PYTHON': sys.executable,
        'NNODES': '2',
        'MASTER_ADDR': '127.0.0.1',
        'PORT': str(_free_port()),
        'SEEN': str(tmp_path / 'seen '),
    }
    machines = [
        subprocess.Popen(
            [str(tools / 'dist_train.sh'), str(config), '1'],
            cwd=tmp_path,
            env={**shared, 'NODE_RANK': rank},
        )
        for rank in '01'
    ]
    assert [machine.wait(timeout=120) for machine in machines] == [0, 0]
    assert [(tmp_path / f'seen {rank}').read_text().splitlines()[0] for rank in '01'] == ['2', '2']


@pytest.mark.slow
def test_failure_of_a_process_is_the_failure_of_the_run(tools, config, tmp_path):
    (tools / 'train.py').write_text('raise SystemExit(3)')
    run = _run(tools / 'dist_train.sh', str(config), '1', cwd=tmp_path, PORT=str(_free_port()))
    assert run.returncode != 0


def test_slurm_asks_for_one_task_a_gpu(tools, config, tmp_path):
    srun = tmp_path / 'bin' / 'srun'
    srun.parent.mkdir()
    srun.write_text('#!/bin/sh\nprintf \'%s\\n\' "$@"\n')
    srun.chmod(0o755)
    run = _run(
        *(tools / 'slurm_train.sh', 'my partition', 'my job', config.name, '--resume'),
        cwd=tmp_path,
        PATH=f'{srun.parent}:{os.environ["PATH"]}',
        GPUS='16',
        SRUN_ARGS='--time=1:00:00 --exclusive',
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        '-p',
        'my partition',
        '--job-name=my job',
        '--gres=gpu:8',
        '--ntasks=16',
        '--ntasks-per-node=8',
        '--cpus-per-task=5',
        '--kill-on-bad-exit=1',
        '--time=1:00:00',
        '--exclusive',
        *(sys.executable, '-u', str(tools / 'train.py'), config.name, '--launcher', 'slurm', '--resume'),
    ]


@pytest.fixture
def tiny_config(tmp_path) -> Path:
    """CMID with ResNet-18 for one epoch of four images of noise, two a step."""
    images = tmp_path / 'my images'
    images.mkdir()
    generator = np.random.default_rng(0)
    for index in range(4):
        pixels = generator.integers(0, 256, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f'{index}.png')
    path = tmp_path / 'my cmid_tiny.py'
    path.write_text(
        f'_base_ = {str(REPO / "configs/cmid/cmid_r18_ucmerced.py")!r}\n'
        'model = dict(global_head=dict(queue_size=8))\n'
        'train_dataloader = dict(\n'
        '    batch_size=2, num_workers=1, persistent_workers=False, pin_memory=False,\n'
        f'    dataset=dict(data_root={str(images)!r}))\n'
        'train_cfg = dict(max_epochs=1)\n'
        'param_scheduler = []\n'
        'default_hooks = dict(logger=dict(interval=1))\n'
    )
    return path


def _losses(work_dir: Path) -> list[float]:
    """Return the losses that a run with ``work_dir`` has logged, after a look at its checkpoint."""
    assert (work_dir / 'epoch_1.pth').is_file()
    (scalars,) = work_dir.glob('*/vis_data/scalars.json')
    losses = [json.loads(line)['loss'] for line in scalars.read_text().splitlines()]
    assert np.isfinite(losses).all()
    return losses


@pytest.mark.slow
def test_cmid_trains_through_mim(tiny_config, tmp_path):
    arguments = ['train', 'mmpretrain', str(tiny_config), '--gpus', '0', '--launcher', 'none']
    run = subprocess.run(
        [sys.executable, '-m', 'mim', *arguments, '--work-dir', str(tmp_path / 'my run')],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,  # mim asks before it installs upstream's package
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert len(_losses(tmp_path / 'my run')) == 2


@pytest.mark.slow
def test_cmid_trains_in_two_processes(tiny_config, tmp_path):
    run = _run(
        *(REPO / 'tools' / 'dist_train.sh', str(tiny_config), '2', '--work-dir', 'my run'),
        cwd=tmp_path,
        PORT=str(_free_port()),
        OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='',
    )
    assert run.returncode == 0, run.stderr
    assert len(_losses(tmp_path / 'my run')) == 1
