"""Which source a run was made from: commit, and what differs from it."""

import hashlib
import shutil
import subprocess
from pathlib import Path

SOURCES = ('cmid_mm', 'tools')  # configs are kept as they were resolved
LARGEST_DIFF = 200_000  # characters


def git_state(root: str | Path | None = None) -> dict[str, str | None]:
    """Commit of the checkout that this package is imported from, and what differs from it.

    Args:
        root (str | Path, optional): Folder of ``cmid_mm`` and ``tools``. Defaults to None: that of the package.

    Returns:
        dict: ``commit``; ``changes``, a SHA-256 of all that differs from it in the two folders, files that git does
        not know included, '' if nothing does; ``diff``, the difference as ``git diff`` writes it, None if it has more
        than 200,000 characters; ``unknown_files``, the names of the files that git does not know, one a line. Where
        there is no checkout, or git cannot read it, ``reason`` alone.
    """
    root = Path(__file__).resolve().parents[2] if root is None else Path(root)
    if shutil.which('git') is None:
        return {'reason': 'git is not installed'}
    try:
        # An installed package may lie within the checkout of something else, which does not know it.
        if not _git(root, 'ls-files', '--', *SOURCES):
            return {'reason': f'{root} is not under version control'}
        commit = _git(root, 'rev-parse', 'HEAD').strip()
        diff = _git(root, 'diff', 'HEAD', '--no-ext-diff', '--no-color', '--', *SOURCES)
        unknown = _git(root, 'ls-files', '-z', '--others', '--exclude-standard', '--', *SOURCES).split('\0')
    except subprocess.CalledProcessError as error:
        return {'reason': f'git: {error.stderr.strip() or error}'}
    files = [name for name in unknown if name and (root / name).is_file()]
    changes = hashlib.sha256(diff.encode())
    for name in files:
        changes.update(f'\0{name}\0'.encode())
        changes.update((root / name).read_bytes())
    return {
        'commit': commit,
        'changes': changes.hexdigest() if diff or files else '',
        'diff': diff if len(diff) <= LARGEST_DIFF else None,
        'unknown_files': '\n'.join(files),
    }


def _git(root: Path, *arguments: str) -> str:
    command = ['git', '-C', str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, encoding='utf-8', errors='backslashreplace').stdout
