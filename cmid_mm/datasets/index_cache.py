"""From folders and list files to a :class:`FileIndex`, built once and kept until they change.

- The order is that of a walk with files before sub-folders and both sorted by their bytes, or
  that of the list file. It does not depend on the file system.
- Links to files and folders are followed, so what is linked twice counts twice; a link to a folder
  that it lies in is left out, as it would never end. A link to nothing or to itself stays in, as an
  unreadable image, and so do pipes and sockets with the name of an image.
- A sub-folder that may not be searched stays in as one unreadable image, so that it is named as they are.
- Images of other formats (:data:`OTHER_FORMATS`) are left out, and a warning says so.
- Names that begin with a dot are left out: they are thumbnails, trash and metadata of tools.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from mmengine.dist import all_gather_object, get_dist_info
from mmengine.logging import print_log

from .file_index import RACY_NS, FileIndex, IndexFileError, write_index
from .names import printable

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.tif', '.tiff')
# Endings of images that are not read.
OTHER_FORMATS = ('.avif', '.bmp', '.gif', '.heic', '.j2k', '.jp2', '.jpx', '.jxl', '.ppm', '.webp')
_OTHER_ENDINGS = tuple(ending.encode() for ending in OTHER_FORMATS)
_PROGRESS_SECONDS = 5
_SHOWN = 3  # paths that a message names


def default_cache() -> str:
    """``$XDG_CACHE_HOME/cmid_mm/index``, with ``~/.cache`` where the variable is not set."""
    home = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return os.path.join(home, 'cmid_mm', 'index')


def open_index(
    roots: Sequence[str],
    list_files: Sequence[str] | None = None,
    extensions: Sequence[str] = EXTENSIONS,
    recursive: bool = True,
    cache: str | None = None,
) -> FileIndex:
    """Open the index of some folders; build it first where there is none or they have changed.

    Changes are told by the times of the folders (or the size and time of the list files), which
    takes one look a folder, not one a file. In a distributed run process 0 builds, and so does the
    first process of any machine that cannot see the result; all must find the same files.

    Args:
        roots (Sequence[str]): Folders, in the order in which their files are to come.
        list_files (Sequence[str], optional): For each root a text file with a path below it a line.
            Defaults to None: all files with one of the extensions.
        extensions (Sequence[str]): Endings of file names, in lower case.
        recursive (bool): Whether to search sub-folders, at any depth. Defaults to True.
        cache (str, optional): Folder of the index files. Defaults to None: :func:`default_cache`.

    Returns:
        FileIndex: The index, with at least one file.

    Raises:
        FileNotFoundError: If a folder or list file is missing, or there is no image.
        ValueError: If a list file has a bad line.
        RuntimeError: If processes find different files.
    """
    header = {
        'roots': [os.path.abspath(root) for root in roots],
        'lists': [os.path.abspath(path) for path in list_files] if list_files else None,
        'extensions': sorted(extensions),
        'recursive': recursive,
    }
    name = blake2b(json.dumps(header).encode(), digest_size=16).hexdigest()
    path = os.path.join(cache or default_cache(), f'{name}.index')
    rank, world_size = get_dist_info()
    if world_size == 1:
        return _load_or_build(path, header)
    local_rank = int(os.environ.get('LOCAL_RANK', rank))
    mine = 'first' if rank == 0 else 'machines' if local_rank == 0 else 'others'
    index, digest, trouble = None, None, None
    # One after another: where the cache is shared, the first to build builds for all.
    for turn in ('first', 'machines', 'others'):
        if mine == turn:
            try:
                index = _load_or_build(path, header, digest)
            except (OSError, ValueError) as error:
                trouble = error
        found = all_gather_object((index.digest if index else None, trouble))
        for _, error in found:
            if error is not None:
                raise error
        digest = found[0][0]
    if len({digest for digest, _ in found}) > 1:
        raise RuntimeError(
            f'the processes see different files under {_join(header["roots"])}; make the folders '
            'the same on all machines'
        )
    return index


def _load_or_build(path: str, header: dict, digest: str | None = None) -> FileIndex:
    """The index, built where it is missing or old; one of the given digest has just been checked."""
    _check_roots(header)
    stamps = [_stamp(file) for file in header['lists'] or ()]
    try:
        index = FileIndex(path)
    except (FileNotFoundError, IndexFileError):
        index = None
    if index is None or (index.digest != digest and not _is_current(index, stamps)):
        _check_cache(os.path.dirname(path))
        folders = _read_lists(header) if header['lists'] else _walk(header)
        index = write_index(path, {**header, 'stamps': stamps}, folders)
    if len(index) == 0:
        where = _join(header['lists'] or header['roots'])
        raise FileNotFoundError(
            f'no image was found in {where}; expected files that end in '
            f'{", ".join(header["extensions"])}'
            + ('' if header['recursive'] else ' (recursive=False leaves sub-folders out)')
        )
    return index


def _check_roots(header: dict) -> None:
    for root in header['roots']:
        if not os.path.isdir(root):
            raise FileNotFoundError(f'data_root {root} is no folder; correct data_root of UnlabelledImages')
    for path in header['lists'] or ():
        if not os.path.isfile(path):
            raise FileNotFoundError(f'list_file {path} does not exist; correct list_file of UnlabelledImages')


def _check_cache(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise PermissionError(
            f'the file index cannot be written to {folder}; name another folder by cache of UnlabelledImages'
        )


def _is_current(index: FileIndex, stamps: list) -> bool:
    if stamps != index.header['stamps'] or None in stamps:
        return False
    if index.header['lists']:
        return True
    roots = index.header['roots']
    for number in range(len(index.folders)):
        folder = os.path.join(roots[index.folder_roots[number]], index.folders[number])
        try:
            changed = os.stat(folder).st_mtime_ns
        except OSError:
            return False
        if changed != index.folder_times[number]:
            return False
    return True


def _stamp(path: str) -> list[int] | None:
    """Size and time of a file, None if it changed too shortly ago to tell a later change by it."""
    status = os.stat(path)
    settled = status.st_mtime_ns < time.time_ns() - RACY_NS
    return [status.st_size, status.st_mtime_ns] if settled else None


def _walk(header: dict) -> Iterator[tuple[int, bytes, int, list[bytes]]]:
    """All folders below the roots with the names of their images, sorted."""
    extensions = tuple(extension.encode() for extension in header['extensions'])
    files = folders = left_out = 0
    shown = []
    told = time.monotonic()
    for number, root in enumerate(header['roots']):
        # A folder below the root, and the identities of those it lies in, up to the top of the file system.
        above = [_identity(os.fsencode(folder)) for folder in Path(root).resolve().parents]
        stack = [(b'', tuple(above))]
        while stack:
            relative, parents = stack.pop()
            folder = _read_folder(os.path.join(os.fsencode(root), relative), extensions, header['recursive'], parents)
            yield number, relative, folder.changed, folder.images
            files, folders = files + len(folder.images), folders + 1
            left_out += len(folder.others)
            shown = (shown + folder.others)[:_SHOWN]
            if time.monotonic() - told > _PROGRESS_SECONDS:
                told = time.monotonic()
                print_log(f'Indexing {root}: {files:,} images in {folders:,} folders so far', 'current')
            if header['recursive']:
                inner = (*parents, folder.identity)
                stack += [(os.path.join(relative, name), inner) for name in reversed(folder.below)]
    print_log(f'Indexed {files:,} images in {folders:,} folders', 'current')
    if left_out:
        print_log(
            f'{left_out:,} images were left out, in formats that are not read: '
            f'{_join([printable(os.fsdecode(path)) for path in shown], left_out)}; convert them, to TIFF for example',
            'current',
            logging.WARNING,
        )


class _Folder(NamedTuple):
    """What lies in one folder, sorted.

    Attributes:
        images (list[bytes]): Names of images, and of sub-folders that may not be searched.
        below (list[bytes]): Names of the other sub-folders.
        others (list[bytes]): Paths of images in formats that are not read.
        changed (int): Time of the last change in ns, -1 if a later look may find something else at the same time.
        identity (tuple[int, int]): Tells the folder from all others, by whatever path.
    """

    images: list[bytes]
    below: list[bytes]
    others: list[bytes]
    changed: int
    identity: tuple[int, int]


def _read_folder(path: bytes, extensions: tuple[bytes, ...], recursive: bool, parents: tuple) -> _Folder:
    status = os.stat(path)  # before the names are read, so that a change in between shows later
    identity = (status.st_dev, status.st_ino)
    settled = status.st_mtime_ns < time.time_ns() - RACY_NS
    images, below, others = [], [], []
    try:
        entries = os.scandir(path)
    except PermissionError as error:
        raise PermissionError(
            f'the folder {printable(os.fsdecode(path))} cannot be searched for images ({error.strerror}); '
            'allow it, or move it out of data_root'
        ) from None
    with entries:
        for entry in entries:
            if entry.name.startswith(b'.'):
                continue
            if _is_folder(entry):
                if entry.is_symlink() and _identity(entry.path) in (*parents, identity):
                    continue
                if os.access(entry.path, os.R_OK | os.X_OK):
                    below.append(entry.name)
                elif recursive:
                    images.append(entry.name)
                    settled = False  # rights change without a trace in the time of this folder
            elif entry.name.lower().endswith(extensions):
                images.append(entry.name)
            elif entry.name.lower().endswith(_OTHER_ENDINGS):
                others.append(entry.path)
    return _Folder(sorted(images), sorted(below), sorted(others), status.st_mtime_ns if settled else -1, identity)


def _is_folder(entry: os.DirEntry) -> bool:
    """Whether it is a folder or a link to one; a link to itself, or to where one may not look, is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _identity(path: bytes) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _read_lists(header: dict) -> Iterator[tuple[int, bytes, int, list[bytes]]]:
    """The lines of the list files; each run of lines in one folder makes one entry."""
    extensions = tuple(extension.encode() for extension in header['extensions'])
    for number, (root, path) in enumerate(zip(header['roots'], header['lists'], strict=True)):
        folder, names = None, []
        with open(path, 'rb') as file:
            for count, line in enumerate(file, 1):
                line = line.removeprefix(b'\xef\xbb\xbf') if count == 1 else line
                line = line.rstrip(b'\r\n')
                if not line.strip():
                    continue
                relative = _below_root(line, f'line {count} of {path}', extensions)
                if folder is None and not os.path.lexists(os.path.join(os.fsencode(root), relative)):
                    raise FileNotFoundError(
                        f'line {count} of {path} names {printable(os.fsdecode(relative))}, which is not in '
                        f'{root}; correct data_root or list_file of UnlabelledImages'
                    )
                head, name = os.path.split(relative)
                if head != folder and names:
                    yield number, folder, 0, names
                    names = []
                folder = head
                names.append(name)
        if names:
            yield number, folder, 0, names


def _below_root(line: bytes, where: str, extensions: tuple[bytes, ...]) -> bytes:
    relative = os.path.normpath(line)
    if os.path.isabs(line) or relative.split(b'/')[0] == b'..':
        raise ValueError(
            f'{where} is {printable(os.fsdecode(line))}, which leads out of data_root; write paths below it'
        )
    if not relative.lower().endswith(extensions):
        raise ValueError(
            f'{where} is {printable(os.fsdecode(line))}, which ends in none of '
            f'{os.fsdecode(b", ".join(extensions))}; give one path a line, or set extensions of '
            'UnlabelledImages'
        )
    return relative


def _join(paths: Sequence[str], count: int | None = None) -> str:
    """The first of ``count`` paths, by default of those given."""
    more = (len(paths) if count is None else count) - _SHOWN
    return ', '.join(paths[:_SHOWN]) + (f' and {more} more' if more > 0 else '')
