"""The command lines of the data tools: help, exit codes, one sentence, and what a killed run leaves."""

import os
import runpy
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

TOOLS = {
    'ucmerced': ('landuse.html', 'Newsam'),
    'isprs': ('UrbanSemLab', 'Rottensteiner'),
    'dota': ('captain-whu.github.io/DOTA', 'Xia'),
    'cdd': ('drive.google.com', 'Lebedev'),
    'millionaid': ('captain-whu.github.io/DiRS', 'Long'),
}


def tool(repo, name):
    return repo / 'tools' / 'datasets' / f'prepare_{name}.py'


def call(repo, name, *arguments):
    """Run a tool in this process."""
    runpy.run_path(str(tool(repo, name)))['main']([str(argument) for argument in arguments])


@pytest.fixture
def pairs(tmp_path):
    """100 pairs a split."""
    for split in ('train', 'val', 'test'):
        for part in ('A', 'B', 'OUT'):
            (tmp_path / 'pairs' / split / part).mkdir(parents=True)
            for number in range(100):
                shape = (64, 64) if part == 'OUT' else (64, 64, 3)
                picture = np.random.default_rng(number).integers(0, 2, shape, dtype=np.uint8) * 255
                cv2.imwrite(str(tmp_path / 'pairs' / split / part / f'{number:03d}.png'), picture)
    return tmp_path / 'pairs'


@pytest.mark.parametrize('name', TOOLS)
def test_help_says_where_to_get_the_data_and_whom_to_cite(repo, capsys, name):
    with pytest.raises(SystemExit) as ended:
        call(repo, name, '--help')
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for word in (*TOOLS[name], 'Nothing is downloaded', '--workers', '--allow-missing'):
        assert word in text


@pytest.mark.parametrize('name', TOOLS)
def test_a_wrong_path_ends_with_one_sentence_that_names_it(repo, tmp_path, name):
    arguments = ('potsdam',) if name == 'isprs' else ()
    with pytest.raises(SystemExit) as ended:
        call(repo, name, *arguments, tmp_path / 'nowhere', '--out', tmp_path / 'out')
    assert ended.value.code.startswith(f'prepare_{name}: {tmp_path}/nowhere does not exist')
    assert '\n' not in ended.value.code
    assert not (tmp_path / 'out').exists()


def test_workers_below_one_are_refused(repo, pairs, tmp_path):
    with pytest.raises(SystemExit, match='--workers 0 is too few'):
        call(repo, 'cdd', pairs, '--out', tmp_path / 'out', '--workers', 0)


def test_what_was_done_is_printed(repo, pairs, tmp_path, capsys):
    call(repo, 'cdd', pairs, '--out', tmp_path / 'out', '--workers', 1)
    assert f'{tmp_path}/out: 300 written' in capsys.readouterr().out
    call(repo, 'cdd', pairs, '--out', tmp_path / 'out', '--workers', 1)
    assert f'{tmp_path}/out is complete (300): nothing to do' in capsys.readouterr().out


@pytest.mark.slow
def test_a_killed_run_is_taken_up_again(repo, pairs, tmp_path):
    out = tmp_path / 'out'
    command = [sys.executable, str(tool(repo, 'cdd')), str(pairs), '--out', str(out), '--workers', '2']
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while len(list(out.glob('*/OUT/*.png'))) < 5 and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.002)
    assert process.poll() is None, 'the run ended before it could be killed'
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    left = {path: path.stat().st_mtime_ns for path in out.glob('*/OUT/*.png')}
    assert 0 < len(left) < 300
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    for split in ('train', 'val', 'test'):
        for number in range(100):
            mask = cv2.imread(str(out / split / 'OUT' / f'{number:03d}.png'), cv2.IMREAD_UNCHANGED)
            drawn = cv2.imread(str(pairs / split / 'OUT' / f'{number:03d}.png'), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(mask * 255, drawn)
    assert not list(out.rglob('*.part'))
    assert all(path.stat().st_mtime_ns == then for path, then in left.items())


@pytest.mark.slow
def test_an_error_in_a_worker_ends_the_program_with_its_sentence(repo, pairs, tmp_path):
    (pairs / 'val' / 'B' / '042.png').write_bytes(b'no picture')
    command = [sys.executable, str(tool(repo, 'cdd')), str(pairs), '--out', str(tmp_path / 'out'), '--workers', '2']
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert 'Traceback' not in ended.stderr
    sentence = f'prepare_cdd: {pairs}/val/B/042.png cannot be read as an image: neither JPEG nor PNG nor TIFF'
    assert ended.stderr.splitlines()[-1].startswith(sentence)
    assert not (tmp_path / 'out').exists()
