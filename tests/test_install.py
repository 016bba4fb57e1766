"""The Makefile: what is installed when, and how it fails. The interpreter of .venv is a script that writes down its
arguments, so that nothing is installed and every command that would run can be read.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
RECORDER = """#!/bin/sh
for argument in "$@"; do printf '<%s>' "$argument"; done >> commands.txt
echo >> commands.txt
"""


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    # What a surrounding `make test` has set must not reach this one.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(('MAKE', 'MFLAGS'))}
    for name in ('DATA', 'PYTHON', 'PYTEST_ARGS'):
        inherited.pop(name, None)
    command = ['make', '--no-print-directory', *arguments]
    return subprocess.run(command, cwd=folder, env=inherited, capture_output=True, text=True, check=False)


def _commands(folder: Path) -> list[str]:
    """Return what the interpreter was asked to run since the last call."""
    log = folder / 'commands.txt'
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


@pytest.fixture
def checkout(tmp_path) -> Path:
    """The files that the Makefile reads, in a folder whose path has spaces, with a recording interpreter."""
    folder = tmp_path / 'a clone with spaces'
    shutil.copytree(REPO / 'requirements', folder / 'requirements')
    shutil.copytree(REPO / 'tools' / 'mim_names', folder / 'tools' / 'mim_names')
    for name in ('Makefile', 'setup.py', 'tools/install_mmcv_ops.py'):
        shutil.copy2(REPO / name, folder / name)
    python = folder / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.write_text(RECORDER)
    python.chmod(0o755)
    return folder


def test_second_run_installs_nothing(checkout):
    assert _make(checkout, 'install-all').returncode == 0
    first = _commands(checkout)
    assert any('<requirements/runtime.txt>' in line for line in first)
    assert any('<requirements/rotate.txt>' in line for line in first)
    assert any('<tools/install_mmcv_ops.py>' in line for line in first)
    assert _make(checkout, 'install-all').returncode == 0
    assert _commands(checkout) == []


@pytest.mark.parametrize('target', ['demo', 'test'])
def test_fresh_stamps_leave_only_the_job(checkout, target):
    assert _make(checkout, 'install-all').returncode == 0
    _commands(checkout)
    assert _make(checkout, target).returncode == 0
    ran = _commands(checkout)
    assert ran
    assert not any('<pip>' in line or '<tools/install_mmcv_ops.py>' in line for line in ran)


def test_demo_installs_the_first_tier_only(checkout):
    assert _make(checkout, 'demo').returncode == 0
    ran = _commands(checkout)
    assert any('<requirements/runtime.txt>' in line for line in ran)
    assert not any('<requirements/rotate.txt>' in line or 'mmcv_ops' in line for line in ran)
    assert ran[-1] == '<tools/demo.py><--work-dir><work_dirs/demo>'


def test_changed_requirements_are_installed_again_and_only_once(checkout):
    _make(checkout, 'install-all')
    _commands(checkout)
    with (checkout / 'requirements' / 'tests.txt').open('a') as file:
        file.write('pytest-timeout\n')
    _make(checkout, 'install')
    assert _commands(checkout) == [], 'the first tier does not read tests.txt'
    _make(checkout, 'install-all')
    ran = _commands(checkout)
    assert any('<requirements/tests.txt>' in line for line in ran)
    assert not any('<requirements/runtime.txt>' in line for line in ran)
    _make(checkout, 'install-all')
    assert _commands(checkout) == []


def test_moved_checkout_is_installed_again(checkout):
    _make(checkout, 'install')
    _commands(checkout)
    moved = checkout.rename(checkout.parent / 'moved')
    _make(moved, 'install')
    assert any('<--editable>' in line for line in _commands(moved))


def test_demo_takes_a_folder_with_spaces(checkout):
    assert _make(checkout, 'demo', 'DATA=/my data/aerial "2023" images').returncode == 0
    last = _commands(checkout)[-1]
    assert last == '<tools/demo.py><--data></my data/aerial "2023" images><--work-dir><work_dirs/demo>'


def test_test_checks_style_and_runs_everything(checkout):
    assert _make(checkout, 'test').returncode == 0
    ran = _commands(checkout)
    assert ran[-3:] == [
        '<-m><ruff><check><.>',
        '<-m><ruff><format><--check><.>',
        '<-m><pytest><--numprocesses><logical><--maxprocesses><8><--dist><worksteal>',
    ]


def test_failed_install_leaves_no_stamp(checkout):
    (checkout / '.venv/bin/python').write_text(RECORDER + 'case "$*" in *runtime.txt*) exit 1;; esac\n')
    assert _make(checkout, 'install').returncode != 0
    _commands(checkout)
    assert _make(checkout, 'install').returncode != 0
    assert any('<requirements/runtime.txt>' in line for line in _commands(checkout))


def test_no_index_is_hard_coded(checkout):
    _make(checkout, 'install-all')
    assert not any('index-url' in line or 'http' in line for line in _commands(checkout))


@pytest.mark.parametrize('python', ['no-such-python', 'false'])
def test_unusable_python_is_one_sentence(checkout, python):
    shutil.rmtree(checkout / '.venv')
    run = _make(checkout, 'install', f'PYTHON={python}')
    assert run.returncode != 0
    said = [line for line in run.stderr.splitlines() if not line.startswith('make: ***')]
    assert said == [
        f'make: {python} does not run or is not Python 3.10, 3.11 or 3.12: name one that is, for example '
        "'make PYTHON=python3.11 install'."
    ]
    assert not (checkout / '.venv').exists()
