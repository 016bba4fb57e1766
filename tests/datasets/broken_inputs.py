"""A folder of broken and unusual inputs: each kind with its place, how to make it, and what must come of it.

Files of every kind by their bytes are in ``broken_files.py`` and ``broken_tiffs.py``; here are odd names, links, pipes
and what may not be read.
"""

import os
import runpy
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

_HERE = Path(__file__).parent
_FILES = runpy.run_path(str(_HERE / 'broken_files.py'))
_TIFFS = runpy.run_path(str(_HERE / 'broken_tiffs.py'))
PICTURE = _FILES['PICTURE']
_PNG = _FILES['png']()
_NO_FILE = 'pipe, socket or device'


class Kind(NamedTuple):
    """One kind of input.

    Attributes:
        name (str): Of the kind.
        path (str): Of the image, below the folder.
        make (Callable): Called with this path and a folder outside of the root.
        pixels (np.ndarray | None): RGB that must be read, uint8; None: it must be skipped and named.
        reason (str): What the reason must match if it is skipped.
        tolerance (float): Mean difference of a value that lossy formats may make.
        needs_user (bool): Whether the superuser, who may read everything, cannot make it.
    """

    name: str
    path: str
    make: Callable[[Path, Path], None]
    pixels: np.ndarray | None = None
    reason: str = ''
    tolerance: float = 0.0
    needs_user: bool = False

    def matches(self, image: np.ndarray) -> bool:
        """Whether these are the pixels that must be read."""
        if self.pixels is None or image.shape != self.pixels.shape or image.dtype != np.uint8:
            return False
        return np.abs(image.astype(int) - self.pixels).mean() <= self.tolerance


def _write(path: Path, outside: Path, data: Callable[[], bytes] = lambda: _PNG) -> None:
    path.write_bytes(data())


NAMES = {
    'chinese': '卫星/北京.png',
    'arabic': 'صورة.png',
    'hindi': 'चित्र.png',
    'thai': 'ภาพถ่าย.png',
    'emoji': '🛰️👩‍🚀.png',
    'combining signs': 'e\u0301a\u0308.png',
    'right to left': '\u202egpj.png',
    'line break': 'two\nlines.png',
    'carriage return': 'over\rwrite.png',
    'tab': 'a\tb.png',
    'bell and escape': '\a\x1b[31mred.png',
    'quotes': '\'"`.png',
    'percent': '100%s%d%.png',
    'braces': '{path}{0}.png',
    'leading dash': '-rf.png',
    'spaces': '  two  .png',
    'trailing dot': 'a..png',
    'backslash': 'a\\nb\\.png',
    'glob': '[a-z]*?.png',
    'shell': '$(reboot);&|>.png',
    'address': 'https:/example.org/a.png',
    'html': '<img src=x onerror=alert(1)>.png',
    'comment': '#,1.png',
    'upper case': 'UPPER.PNG',
    'longest': 'x' * 251 + '.png',
    'deep': '/'.join(['d' * 200] * 10) + '/a.png',
    'no utf-8': os.fsdecode(b'caf\xe9\xff.png'),
    'folder like an image': 'folder.png/a.png',
}


def _link(path: Path, outside: Path, target: str) -> None:
    """A link to a place in the folder outside, where ``far.png`` lies."""
    outside.mkdir(exist_ok=True)
    (outside / 'far.png').write_bytes(_PNG)
    path.symlink_to(outside / target)


def _link_of_a_folder(path: Path, outside: Path) -> None:
    path.parent.rmdir()
    _link(path.parent, outside, '')


def _hard_link(path: Path, outside: Path) -> None:
    outside.mkdir(exist_ok=True)
    (outside / 'hard').write_bytes(_PNG)
    path.hardlink_to(outside / 'hard')


def _ring(path: Path, outside: Path) -> None:
    path.symlink_to('ring')
    (path.parent / 'ring').symlink_to(path.name)


def _pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def _link_of_a_pipe(path: Path, outside: Path) -> None:
    outside.mkdir(exist_ok=True)
    os.mkfifo(outside / 'pipe')
    path.symlink_to(outside / 'pipe')


def _socket(path: Path, outside: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as place:
        place.bind(f'/proc/self/fd/{folder}/{path.name}')  # the address itself may have 107 bytes only
    os.close(folder)


def _denied(path: Path, outside: Path) -> None:
    path.write_bytes(_PNG)
    path.chmod(0)


def _denied_folder(path: Path, outside: Path, mode: int) -> None:
    path.mkdir()
    (path / 'a.png').write_bytes(_PNG)
    path.chmod(mode)


def _link_into_a_denied_folder(path: Path, outside: Path) -> None:
    outside.mkdir(exist_ok=True)
    _denied_folder(outside / '.closed', outside, 0)
    path.symlink_to(outside / '.closed' / 'a.png')


def _kinds() -> Iterator[Kind]:
    for file in (*_FILES['jpegs'](), *_FILES['pngs'](), *_FILES['others'](), *_TIFFS['tiffs']()):
        make = partial(_write, data=file.data)
        yield Kind(file.name, file.name + file.suffix, make, file.pixels, file.reason, file.tolerance)
    for name, path in NAMES.items():
        yield Kind(f'name: {name}', path, _write, PICTURE)
    yield Kind('link out of the root', 'out.png', partial(_link, target='far.png'), PICTURE)
    yield Kind('link of a folder out of the root', 'far/far.png', _link_of_a_folder, PICTURE)
    yield Kind('link of a folder, named like an image', 'far.tif/far.png', _link_of_a_folder, PICTURE)
    yield Kind('hard link', 'hard.png', _hard_link, PICTURE)
    for name, path, make, reason in (
        ('link to nothing', 'nothing.png', partial(_link, target='nowhere.png'), 'No such file'),
        ('link to itself', 'itself.png', lambda path, outside: path.symlink_to(path.name), 'Too many levels'),
        ('links in a ring', 'in a ring.png', _ring, 'Too many levels'),
        ('link to an endless device', 'zero.png', lambda path, outside: path.symlink_to('/dev/zero'), _NO_FILE),
        ('link to a pipe', 'link to a pipe.png', _link_of_a_pipe, _NO_FILE),
        ('link through a file', 'through.png', partial(_link, target='far.png/a.png'), 'Not a directory'),
        ('pipe', 'pipe.jpg', _pipe, _NO_FILE),
        ('socket', 'socket.jpg', _socket, 'No such device'),
    ):
        yield Kind(name, path, make, None, reason)
    for name, path, make in (
        ('file that may not be read', 'denied.png', _denied),
        ('folder that may not be searched', 'denied', partial(_denied_folder, mode=0)),
        ('folder that may be listed only', 'listed', partial(_denied_folder, mode=0o400)),
        ('link into a folder that may not be searched', 'into.png', _link_into_a_denied_folder),
    ):
        reason = 'Is a directory' if path == 'listed' else 'Permission denied'
        yield Kind(name, path, make, None, reason, needs_user=True)


KINDS = list(_kinds())


def make_folder(root: Path, outside: Path) -> list[Kind]:
    """Make a folder of all kinds that this user can make, with links in circles besides; returns the kinds."""
    made = [kind for kind in KINDS if not (kind.needs_user and os.geteuid() == 0)]
    for kind in made:
        make_kind(kind, root, outside)
    (root / 'up').symlink_to('..')
    (root / 'here').symlink_to('.')
    (root / 'empty.jpg').mkdir()
    return made


def make_kind(kind: Kind, root: Path, outside: Path) -> str:
    """Make one kind below ``root``; returns its path."""
    path = root / kind.path
    path.parent.mkdir(parents=True, exist_ok=True)
    kind.make(path, outside)
    return str(path)
