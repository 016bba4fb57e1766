"""tools/benchmark/scale.py counts what is sent, prints one object, and says what is wrong with its arguments."""

import importlib
import json
import os
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from torch import nn
from torch.distributed.nn.functional import all_reduce

IMAGES, SIZE, KEY, PROTOTYPES = 4, 96, 16, 24
PROJECTOR = dict(hid_channels=32, out_channels=KEY)
SMALL = {
    'model.backbone.stem_channels': 8,
    'model.backbone.base_channels': 8,
    'model.global_head.queue_size': 4096,
    'model.local_head.projector.num_prototypes': PROTOTYPES,
    **{f'model.{head}_head.projector.{name}': v for head in ('global', 'local') for name, v in PROJECTOR.items()},
}


@pytest.fixture
def tool(repo, monkeypatch):
    """A module of tools/benchmark."""
    monkeypatch.syspath_prepend(str(repo / 'tools/benchmark'))
    return importlib.import_module


@pytest.fixture
def lone_group():
    """A process group of this process alone: its collectives are those of a large one."""
    torch.distributed.init_process_group('gloo', store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_every_collective_is_counted_by_its_cause(tool, lone_group):
    network = nn.Sequential(nn.Linear(10, 64), nn.BatchNorm1d(64))
    wrapped = nn.parallel.DistributedDataParallel(network)
    for _ in range(2):  # DDP orders its buckets in the first two steps
        wrapped(torch.randn(4, 10)).sum().backward()
    with tool('collectives').CollectiveCounter() as counter:
        (wrapped(torch.randn(4, 10)).sum() + all_reduce(network[0].bias).sum()).backward()
        torch.distributed.all_gather([torch.empty(3)], torch.ones(3))
        torch.distributed.barrier()
    sizes = {(row['cause'], row['collective']): row['bytes'] for row in counter.rows()}
    parameters = sum(p.numel() for p in network.parameters())
    # Means, variances and an eight-byte count of batches; the barrier hands over a byte or none.
    assert sizes.pop(('other', 'barrier')) <= 1
    assert sizes == {
        ('gradients', 'allreduce'): 4 * parameters,
        ('buffers', 'broadcast'): 4 * 2 * 64 + 8,
        ('other', 'allreduce'): 4 * 64,
        ('AllReduceBackward', 'allreduce'): 4 * 64,
        ('other', 'allgather'): 4 * 3,
    }


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['--processes', '0'], '--processes 0 runs nothing; give 1 or more'),
        (['--names', '0'], '--names 0 measures nothing; give 1 or more'),
        (['gone.py'], 'gone.py cannot be read'),
        (['configs/_base_/default_runtime.py'], 'is no pretraining config: it has no size of views'),
        (['--only', 'index', '--names', str(10**15)], 'are needed; set TMPDIR'),
        (['--device', 'cuda', '--processes', '99'], '--device cuda needs 99 GPUs for 99 processes'),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(tool, repo, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(repo)
    monkeypatch.setattr(sys, 'argv', ['scale.py', *arguments])
    with pytest.raises(SystemExit):
        tool('scale').parse_args()
    assert sentence in capsys.readouterr().err.splitlines()[-1]


@pytest.fixture(scope='module')
def figures(repo):
    """What a small run of all sections prints."""
    run = subprocess.run(
        [
            *(sys.executable, str(repo / 'tools/benchmark/scale.py'), '--json', '--device', 'cpu'),
            *('--batch', str(IMAGES), '--threads', '1', '--names', '1500', '--rounds', '1', '--steps', '1'),
            *('--cfg-options', *(f'{key}={value}' for key, value in SMALL.items())),
        ],
        cwd=repo,
        env={**os.environ, 'PYTHONPATH': str(repo)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    return json.loads(run.stdout)


@pytest.mark.slow
def test_bytes_of_a_step_are_those_of_arithmetic(figures, repo):
    cfg = Config.fromfile(repo / 'configs/cmid/cmid_r18_demo.py')
    cfg.merge_from_dict(SMALL)
    parameters = sum(p.numel() for p in MODELS.build(cfg.model).parameters() if p.requires_grad)
    traffic = figures['processes']['traffic']['2']
    assert traffic['gradient_parameters'] == parameters
    assert {row['cause']: row['bytes'] for row in traffic['kinds']} == {
        'gradients': 4 * parameters,
        # The batch's mean image of each view, and its gradient.
        'FocalFrequencyLoss': 2 * 4 * 3 * SIZE**2,
        'KeyQueue': 2 * 4 * IMAGES * KEY,
        'CenteredDistillationLoss': 2 * 4 * PROTOTYPES,
    }
    # Two processes in a ring send as much as they hand over, and gloo's headers.
    assert traffic['bytes'] <= traffic['written_bytes'] < 1.05 * traffic['bytes']


@pytest.mark.slow
def test_every_section_has_its_figures(figures):
    assert set(figures) == {'environment', 'processes', 'index', 'startup'}
    processes = figures['processes']
    assert set(processes['images_per_s']) == set(processes['independent_images_per_s']) == {'1', '2'}
    assert set(processes['efficiency']) == set(processes['efficiency_to_independent']) == {'2'}
    index = figures['index']
    assert (index['names'], index['folders']) == (1500, 2)
    assert set(index['index']) - set(index['list']) == {'file_mb', 'open_s'}
    assert set(index['ratio']) <= set(index['list'])
    # 17 bytes a name, 4 for its folder and 8 for where it begins.
    assert 1500 * (17 + 4 + 8) / 2**20 < index['index']['file_mb'] < 0.06
    startup = figures['startup']
    assert min(startup[key] for key in startup if key.endswith('_s')) > 0
    assert startup['contributors'][0].keys() == {'package', 'seconds', 'ours_s'}
