"""Files of a data set in folders and in zip archives, listed and read the same way.

Nothing is ever unpacked to where an archive says: members are read, and what is written is named by the tool.
"""

import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from .errors import PreparationError

_ENCRYPTED = 0x1  # bit of a member's flags (PKWARE APPNOTE 4.4.4)
_READ_ERRORS = (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, OSError)


@dataclass(frozen=True, order=True, slots=True)
class SourceFile:
    """One file of a data set, in a folder or in an archive.

    Attributes:
        location (str): Path with ``/`` that begins with the name of the folder or archive given; archives count as
            folders without their ``.zip``. The tools look for their files in it.
        container (Path): The folder or archive that holds it.
        member (str): Its name there.
        size (int): Bytes.
        zipped (bool): Whether the container is an archive.
    """

    location: str
    container: Path
    member: str
    size: int
    zipped: bool

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.location.rsplit('/', 1)[-1]

    def __str__(self) -> str:
        return os.path.join(self.container, self.member)

    def read(self) -> bytes:
        """All bytes.

        Raises:
            PreparationError: If the file or the archive is damaged.
        """
        try:
            if self.zipped:
                return _archive(self.container, os.getpid()).read(self.member)
            return (self.container / self.member).read_bytes()
        except _READ_ERRORS as error:
            raise self._unreadable(error) from error

    def copy_to(self, target: BinaryIO) -> None:
        """Write all bytes to an open file, a piece at a time.

        Raises:
            PreparationError: If the file or the archive is damaged.
        """
        with self.open() as file:
            while piece := self._piece(file):
                target.write(piece)

    def checksum(self) -> int:
        """CRC-32 of the bytes."""
        if self.zipped:
            return _archive(self.container, os.getpid()).getinfo(self.member).CRC
        value = 0
        with self.open() as file:
            while piece := self._piece(file):
                value = zlib.crc32(piece, value)
        return value

    def open(self) -> BinaryIO:
        """Open it for reading.

        Raises:
            PreparationError: If the file or the archive is damaged.
        """
        try:
            if self.zipped:
                return _archive(self.container, os.getpid()).open(self.member)
            return (self.container / self.member).open('rb')
        except _READ_ERRORS as error:
            raise self._unreadable(error) from error

    def _piece(self, file: BinaryIO) -> bytes:
        try:
            return file.read(shutil.COPY_BUFSIZE)
        except _READ_ERRORS as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: BaseException) -> PreparationError:
        reason = getattr(error, 'strerror', None) or error
        return PreparationError(f'{self} cannot be read ({reason}); download or unpack it again')


def list_files(sources: Sequence[str | Path]) -> list[SourceFile]:
    """List all files of some folders and zip archives, and of archives that lie in the folders.

    Hidden files, and what macOS adds to archives, are left out.

    Args:
        sources: Folders and ``.zip`` files.

    Returns:
        list[SourceFile]: In the order of the sources and, in each, of the paths.

    Raises:
        PreparationError: If a source is neither, or an archive is damaged, encrypted, holds other archives, or is
            unsafe to unpack: with absolute paths, paths that lead out of it, or links.
    """
    files = []
    for source in map(Path, sources):
        if source.is_dir():
            files += sorted(_in_folder(source))
        elif source.is_file() and zipfile.is_zipfile(source):
            files += sorted(_in_archive(source, source.stem))
        elif source.exists():
            raise PreparationError(f'{source} is no folder and no whole zip archive; unpack it and give the folder')
        else:
            raise PreparationError(f'{source} does not exist; give the folder or the zip archive of the data set')
    if not files:
        raise PreparationError(f'{", ".join(map(str, sources))} holds no files; give where the data set was saved')
    return files


def _in_folder(root: Path) -> Iterator[SourceFile]:
    top = root.resolve().name
    for folder, below, names in os.walk(root, onerror=_unreadable_folder, followlinks=True):
        below[:] = [name for name in below if not _hidden(name)]
        relative = os.path.relpath(folder, root)
        parts = [top] if relative == os.curdir else [top, *relative.split(os.sep)]
        for name in names:
            if _hidden(name):
                continue
            path = Path(folder, name)
            if name.lower().endswith('.zip'):
                yield from _in_archive(path, '/'.join([*parts, path.stem]))
            elif path.is_file():
                member = os.path.relpath(path, root)
                yield SourceFile('/'.join([*parts, name]), root, member, path.stat().st_size, False)
            else:
                raise PreparationError(f'{path} is a link to nothing or no file; restore or remove it')


def _unreadable_folder(error: OSError) -> None:
    raise PreparationError(f'the folder {error.filename} cannot be read ({error.strerror}); allow it or move it')


def _in_archive(path: Path, location: str) -> Iterator[SourceFile]:
    try:
        members = _archive(path, os.getpid()).infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise PreparationError(f'{path} is no whole zip archive ({error}); download it again') from error
    for member in members:
        name = member.filename.replace('\\', '/')
        parts = name.split('/')
        if name.startswith('/') or '..' in parts or re.match('[A-Za-z]:', name):
            raise PreparationError(
                f"{path} is not safe to unpack: its member '{member.filename}' leads out of it; get it from the "
                'official page'
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise PreparationError(
                f"{path} is not safe to unpack: its member '{member.filename}' is a link; get it from the official page"
            )
        if member.is_dir() or any(map(_hidden, parts)):
            continue
        if member.flag_bits & _ENCRYPTED:
            raise PreparationError(f'{path} is encrypted; unpack it with its password and give the folder')
        if name.lower().endswith('.zip'):
            raise PreparationError(f'{path} holds further archives ({parts[-1]}); unpack it and give the folder')
        yield SourceFile(f'{location}/{name}', path, member.filename, member.file_size, True)


@lru_cache(maxsize=16)
def _archive(path: Path, _process: int) -> zipfile.ZipFile:
    """An archive, opened once a process: forked processes that shared one would move each other's position."""
    return zipfile.ZipFile(path)


def _hidden(name: str) -> bool:
    return name.startswith('.') or name == '__MACOSX'


def by_key(files: Sequence[SourceFile], key: Callable[[SourceFile], Hashable | None]) -> dict:
    """Pick files by what they are to the data set.

    Args:
        files: To choose from.
        key: Name of a file in the data set; None for files that are no part of it.

    Returns:
        dict: Key to file, in the order of the files. Of copies (an archive beside what was unpacked from it) the first.

    Raises:
        PreparationError: If two different files have the same key.
    """
    chosen = {}
    for file in files:
        name = key(file)
        if name is None:
            continue
        first = chosen.setdefault(name, file)
        if first is not file and (first.size, first.checksum()) != (file.size, file.checksum()):
            raise PreparationError(f'{first} and {file} are different files of the same name; give only one of them')
    return chosen


def some(names: Sequence[object], most: int = 5) -> str:
    """The first ``most`` names, and how many more there are."""
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(map(str, names[:most])) + more
