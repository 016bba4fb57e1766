"""The state of a checkout: its commit, and a hash that changes with every source that differs from it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cmid_mm.engine.git_state import LARGEST_DIFF, git_state


def _git(folder: Path, *arguments: str) -> str:
    who = ['-c', 'user.name=a', '-c', 'user.email=a@b']
    run = subprocess.run(['git', '-C', folder, *who, *arguments], check=True, capture_output=True, text=True)
    return run.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    if shutil.which('git') is None:
        pytest.skip('git is not installed')
    root = tmp_path / 'checkout'
    (root / 'cmid_mm').mkdir(parents=True)
    (root / 'cmid_mm/a.py').write_text('a = 1\n')
    (root / '.gitignore').write_text('ignored/\n')
    _git(tmp_path, 'init', '-q', str(root))
    _git(root, 'add', '.')
    _git(root, 'commit', '-qm', 'first')
    return root


def test_a_clean_checkout_is_its_commit(checkout):
    (checkout / 'notes.txt').write_text('no source')
    state = git_state(checkout)
    assert state == {'commit': _git(checkout, 'rev-parse', 'HEAD'), 'changes': '', 'diff': '', 'unknown_files': ''}


def test_each_change_of_a_source_changes_the_hash(checkout):
    (checkout / 'cmid_mm/a.py').write_text('a = 2\n')
    changed = git_state(checkout)
    assert '-a = 1\n+a = 2' in changed['diff']
    (checkout / 'cmid_mm/ü\n.py').write_text('b = 1\n')
    new = git_state(checkout)
    assert new['unknown_files'] == 'cmid_mm/ü\n.py'
    (checkout / 'cmid_mm/ü\n.py').write_text('b = 2\n')
    newer = git_state(checkout)
    assert len({state['changes'] for state in (changed, new, newer)} - {''}) == 3


def test_a_long_difference_is_hashed_and_not_kept(checkout):
    (checkout / 'cmid_mm/a.py').write_text('a = 2\n' * LARGEST_DIFF)
    state = git_state(checkout)
    assert state['diff'] is None
    assert len(state['changes']) == 64


def test_a_package_that_the_checkout_around_it_does_not_know(checkout, tmp_path):
    installed = checkout / 'ignored'
    shutil.copytree(checkout / 'cmid_mm', installed / 'cmid_mm')
    assert git_state(installed) == {'reason': f'{installed} is not under version control'}
    (tmp_path / 'plain/cmid_mm').mkdir(parents=True)
    assert 'not a git repository' in git_state(tmp_path / 'plain')['reason']
