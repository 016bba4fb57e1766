"""Packs of images: one LMDB instead of many files, as ``tools/datasets/pack.py`` writes them.

A pack is a folder of

- ``data.mdb``: the bytes of the images by their place in the order, and beside them what they were made from;
- ``images.index``: their paths below the folders that were packed, a :class:`~cmid_mm.datasets.file_index.FileIndex`;
- ``pack.json``: how it was made and, once all of it is written, what it holds;
- ``unreadable_images.txt``, where images were left out.
"""

import json
import math
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from mmengine.fileio import LmdbBackend

from .crop_bound import MAX_RATIO
from .decoding import UnreadableImageError
from .file_index import FileIndex, IndexFileError

if TYPE_CHECKING:
    from .transforms.loading import LoadAerialImage

DATA, INDEX, RECORD = 'data.mdb', 'images.index', 'pack.json'


class PackError(ValueError):
    """A folder is no pack, an unfinished or a damaged one, or made for something else; the message names it."""


def is_pack(folder: str | Path) -> bool:
    """Whether a folder is a pack, finished or not, told by what lies in it."""
    return any(os.path.isfile(os.path.join(folder, name)) for name in (DATA, RECORD))


def key_of(position: int) -> str:
    """Key of an image in the LMDB.

    Its place and not its path: LMDB takes keys of up to 511 bytes and mmengine's backend those of ASCII, and keys in
    order let the file be written from front to back.
    """
    return f'{position:010d}'


def import_lmdb(path: str | Path) -> ModuleType:
    """The package ``lmdb``.

    Raises:
        PackError: If it is not installed.
    """
    try:
        import lmdb
    except ImportError:
        raise PackError(f'{path}: packs of images need the package lmdb; install it (pip install lmdb)') from None
    return lmdb


def read_pack(folder: str | Path) -> tuple[dict, FileIndex]:
    """Settings and names of a finished pack, whose files have been looked at from outside.

    Raises:
        PackError: If it is unfinished, cut short or not written by the tool.
    """
    folder = os.fspath(folder)
    again = 'copy it again whole, or remove it and pack again'
    try:
        record = json.loads(Path(folder, RECORD).read_text(encoding='utf-8'))
        settings, content = record['settings'], record['parts'].get('content')
    except FileNotFoundError:
        raise PackError(
            f'{folder} holds an LMDB that tools/datasets/pack.py has not written (there is no {RECORD}); '
            'pack the images with it'
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PackError(f'{RECORD} of the pack {folder} is damaged; {again}') from None
    if content is None:
        raise PackError(
            f'{folder} is an unfinished pack; run the command of tools/datasets/pack.py that began it again, and it '
            'goes on from there'
        )
    try:
        size = os.path.getsize(os.path.join(folder, DATA))
        index = FileIndex(os.path.join(folder, INDEX), content['index'])
    except (OSError, IndexFileError) as error:
        raise PackError(f'the pack {folder} is not whole ({error}); {again}') from None
    # A map of a file that was cut short would end the process by a signal at the first page that is not there.
    if size != content['bytes']:
        raise PackError(f'{DATA} of the pack {folder} has {size} bytes instead of {content["bytes"]}; {again}')
    return settings, index


class Pack:
    """The images of a finished pack, in the order of the folders that were packed.

    It is used as a :class:`~cmid_mm.datasets.file_index.FileIndex` is; paths are those below the folders that were
    packed, put below the pack (of several folders, below ``pack/0``, ``pack/1``, ...).

    Args:
        path (str): Folder of the pack.
        digest (str, optional): Digest of the names that it must have. Defaults to None: any.

    Raises:
        PackError: If it cannot be used, or ``lmdb`` is not installed.
    """

    def __init__(self, path: str, digest: str | None = None) -> None:
        import_lmdb(path)
        self.path = path
        self.settings, self._index = read_pack(path)
        if digest not in (None, self.digest):
            raise PackError(f'the pack {path} was replaced while it was in use; start again')
        self.folders, self.folder_ids = self._index.folders, self._index.folder_ids
        self._images = _images(path)
        try:
            self.stored(len(self) - 1)
        except UnreadableImageError as error:
            raise PackError(f'{DATA} of the pack {path} is damaged ({error.reason})') from None

    @property
    def digest(self) -> str:
        """Hash of all paths in order."""
        return self._index.digest

    def __len__(self) -> int:
        return len(self._index)

    def relative(self, position: int) -> str:
        """Path of one image below the folder that was packed."""
        return self._index.relative(position)

    def __getitem__(self, position: int) -> str:
        """Path of one image below the pack: a name, under which no file lies."""
        part = ''
        if len(self._index.header['roots']) > 1:
            part = str(self._index.folder_roots[self._index.folder_ids[position]])
        return os.path.join(self.path, part, self._index.relative(position))

    def stored(self, position: int) -> bytes:
        """Bytes of one image, JPEG or PNG.

        Raises:
            UnreadableImageError: If they are missing or the LMDB is damaged there.
        """
        lmdb = import_lmdb(self.path)
        try:
            data = self._images.get(key_of(position))
        except lmdb.Error as error:
            data, reason = None, str(error)
        else:
            reason = 'it is missing'
        if data is None:
            raise UnreadableImageError(
                self[position],
                f'entry {key_of(position)} of {os.path.join(self.path, DATA)}: {reason}; find all that is wrong with '
                f'tools/datasets/pack.py --verify {self.path}, and pack again',
            )
        return data

    def check_loader(self, loader: 'LoadAerialImage') -> None:
        """Refuse a loader whose crops would see less detail here than in the files, or that chooses bands again.

        Raises:
            PackError: If so.
        """
        made, asked = self.settings, f'crop_size={loader.crop_size}, min_area={loader.min_area}'
        side, area = made['crop_size'], made['min_area']
        # Pixels that an image needs, whatever its aspect; whole images (crop_size=0) make no demand.
        needed = loader.crop_size * math.sqrt(loader.max_ratio / loader.min_area)
        if loader.crop_size > side or needed > side * math.sqrt(MAX_RATIO / area) * (1 + 1e-9):
            raise PackError(
                f'the pack {self.path} was made for crops of {side} pixels that take {area} of an image or more, and '
                f'LoadAerialImage has {asked}, max_ratio={loader.max_ratio:.4g}; pack again with --crop-size and '
                '--min-area for it'
            )
        if made['bands'] is not None and loader.bands is not None:
            raise PackError(
                f'the pack {self.path} holds the bands {tuple(made["bands"])} as red, green and blue; '
                'leave bands of LoadAerialImage out'
            )

    def __reduce__(self) -> tuple:
        return Pack, (self.path, self.digest)


class _Images:
    """mmengine's LMDB backend, opened in each process at its first read: LMDB must not be used across a fork."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._process, self._backend = None, None

    def get(self, key: str) -> bytes | None:
        if self._process != os.getpid():
            self._backend = None  # closes what a fork has left, as LMDB refuses to open a file twice
            self._backend, self._process = LmdbBackend(self.path), os.getpid()
        return self._backend.get(key)


# Two data sets on one pack share it, for the same reason.
_open_packs: WeakValueDictionary[str, _Images] = WeakValueDictionary()


def _images(path: str) -> _Images:
    return _open_packs.setdefault(os.path.realpath(path), _Images(path))
