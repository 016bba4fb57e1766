"""The benchmarks print what they promise; what they measure is the machine's, so no number is compared with a bound."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cmid_mm.datasets.scenes import write_scenes

ROOT = Path(__file__).parents[2]
PARTS = {'student', 'teacher', 'heads', 'losses', 'matching', 'optimizer', 'averaging', 'other'}


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / 'tools/benchmark' / script, *arguments], cwd=ROOT, capture_output=True, text=True
    )


def figures(script, *arguments):
    done = run(script, *arguments, '--json')
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # and nothing else on stdout


@pytest.mark.slow
@pytest.mark.parametrize('config', ['cmid_r18_demo', 'cmid_r50_millionaid_device-noise'])
def test_a_step_is_split_into_its_parts(config):
    options = ('--batch', '2', '--rounds', '1', '--device', 'cpu', '--cfg-options', 'model.backbone.depth=18')
    result = figures('step.py', f'configs/cmid/{config}.py', *options)
    assert set(result['parts']) == PARTS
    assert sum(result['parts'].values()) == pytest.approx(1)
    assert all(share > 0 for share in result['parts'].values())
    assert result['floor_over_step'] == pytest.approx(result['floor_s'] / result['step_s'])
    assert result['images_per_s'] == pytest.approx(2 / result['step_s'])
    assert result['peak_memory_mb'] > result['floor_memory_mb'] > 0


@pytest.mark.slow
def test_steps_are_fed_by_the_loader(tmp_path):
    write_scenes(tmp_path, 8, size=128, tasks=['classification'], workers=1)
    arguments = ('configs/cmid/cmid_r18_demo.py', '--batch', '2', '--rounds', '1', '--device', 'cpu')
    result = figures('step.py', *arguments, '--data-root', str(tmp_path))
    assert result['fed_step_s'] > 0
    assert result['step_over_fed_step'] > 0


@pytest.mark.slow
def test_data_is_compared_with_plain_decoding():
    result = figures('data.py', 'configs/cmid/cmid_r18_demo.py', '--sizes', '128', '256', '--rounds', '1')
    assert set(result) == {'128', '256'}
    for row in result.values():
        for path in ('cpu_path', 'device_path', 'packed_cpu_path', 'packed_device_path'):
            assert row[f'{path}_cost'] == pytest.approx(row['decode_per_s'] / row[f'{path}_per_s'])
        for path in ('cpu_path', 'device_path'):
            shares = row[f'{path}_shares']
            assert sum(shares.values()) == pytest.approx(1)
            assert {'LoadAerialImage', 'TwoViews', 'PackInputs'} <= set(shares)
        assert 'view 2: RandomColorJitter' in row['cpu_path_shares']
        assert 'view 2: RandomColorJitter' not in row['device_path_shares']


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (('configs/cmid/cmid_r18_demo.py', '--sizes', '0'), '--sizes and --rounds must be 1 or more'),
        (('configs/cmid/cmid_r18_demo.py', '--images', 'configs'), 'configs holds no JPEG, PNG or TIFF'),
    ],
)
def test_what_cannot_be_measured_is_said(arguments, sentence):
    done = run('data.py', *arguments)
    assert done.returncode != 0
    assert sentence in done.stderr
