"""Build ``mm-cmid-names``: OpenMMLab's usual names for its packages, where only the onedl ones are installed.

    pip install tools/mim_names

``mim train mmrotate CONFIG`` and mmengine's ``'mmseg::...'`` configs look for distributions called mmrotate
and mmsegmentation. With onedl-mmrotate alone, mim offers to install upstream's mmrotate over the same files.
The distribution built here adds, for each name, metadata only: a ``.dist-info`` folder that states the name,
requires the onedl package, and says in ``top_level.txt`` which module it is. No file of another package
is touched. The folders have no RECORD of their own, which

- makes mim look beside them for the module, whose ``.mim`` it then uses (from a RECORD it would take the
  first row's folder, which is the dist-info itself), and
- marks them as not pip's to change, so that pip refuses to install upstream's package over the onedl one.

They belong to mm-cmid-names and go with it: ``pip uninstall mm-cmid-names``.

This is a build backend in the sense of PEP 517, without dependencies, because setuptools cannot put a second
dist-info folder into a wheel.
"""

import base64
import hashlib
import zipfile
from pathlib import Path

VERSION = '0.1.0'
WHEEL = f'mm_cmid_names-{VERSION}-py3-none-any.whl'
INFO = f'mm_cmid_names-{VERSION}.dist-info'

# Upstream's name -> module, onedl distribution, its lowest version (which the name takes), and the next minor one.
NAMES = {
    'mmpretrain': ('mmpretrain', 'onedl-mmpretrain', '1.3.6', '1.4'),
    'mmsegmentation': ('mmseg', 'onedl-mmsegmentation', '1.4.2', '1.5'),
    'mmdet': ('mmdet', 'onedl-mmdetection', '3.5.1', '3.6'),
    'mmrotate': ('mmrotate', 'onedl-mmrotate', '1.2.1', '1.3'),
}


def _metadata(name: str, version: str, summary: str, requires: list[str]) -> str:
    lines = ['Metadata-Version: 2.1', f'Name: {name}', f'Version: {version}', f'Summary: {summary}']
    return '\n'.join(lines + [f'Requires-Dist: {line}' for line in requires]) + '\n'


def _files() -> dict[str, str]:
    """Return the text of every file of the wheel, by its path in the wheel, except RECORD."""
    files, requires = {}, []
    for name, (module, onedl, low, high) in NAMES.items():
        requires.append(f'{onedl}>={low},<{high}')
        # .data/purelib is unpacked into site-packages like the wheel's root, where pip admits one dist-info only.
        folder = f'mm_cmid_names-{VERSION}.data/purelib/{name}-{low}.dist-info'
        summary = f'The name {name} for {onedl}, by mm-cmid-names'
        files[f'{folder}/METADATA'] = _metadata(name, low, summary, requires[-1:])
        files[f'{folder}/INSTALLER'] = 'mm-cmid-names\n'
        files[f'{folder}/top_level.txt'] = f'{module}\n'
    summary = "OpenMMLab's usual package names for the onedl packages"
    files[f'{INFO}/METADATA'] = _metadata('mm-cmid-names', VERSION, summary, requires)
    files[f'{INFO}/WHEEL'] = 'Wheel-Version: 1.0\nGenerator: cmid_mm\nRoot-Is-Purelib: true\nTag: py3-none-any\n'
    return files


def build_wheel(
    wheel_directory: str, config_settings: dict | None = None, metadata_directory: str | None = None
) -> str:
    """Write the wheel into ``wheel_directory`` and return its file name (PEP 517)."""
    record = []
    with zipfile.ZipFile(Path(wheel_directory) / WHEEL, 'w', zipfile.ZIP_DEFLATED) as wheel:
        for path, text in _files().items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
            record.append(f'{path},sha256={digest.rstrip("=")},{len(text.encode())}')
            wheel.writestr(path, text)
        record.append(f'{INFO}/RECORD,,')
        wheel.writestr(f'{INFO}/RECORD', '\n'.join(record) + '\n')
    return WHEEL
