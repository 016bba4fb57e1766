"""The names of up to many millions of files in a few bytes each, shared by all workers.

A path is kept as its folder's number (4 bytes) and its name in UTF-8 with an offset (8 bytes) into one
run of bytes. All of it lies in one memory-mapped file: workers share its pages, and what is
pickled is the path of that file.
"""

import json
import os
import struct
import uuid
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import numpy as np

_MAGIC = b'cmidmm1\n'
_ALIGNMENT = 64
# Files that are older than this when their folder is read count as settled; a file that comes later
# is sure to change the folder's time, however coarse the clock of the file system.
RACY_NS = 2_000_000_000


class IndexFileError(ValueError):
    """A file is no index, or not the index that is expected."""


class _Strings:
    """Byte strings one after another, with where each begins."""

    def __init__(self, data: np.ndarray, offsets: np.ndarray) -> None:
        self.data = data
        self.offsets = offsets

    def __getitem__(self, position: int) -> str:
        start, stop = self.offsets[position], self.offsets[position + 1]
        return os.fsdecode(self.data[int(start) : int(stop)].tobytes())

    def __len__(self) -> int:
        return len(self.offsets) - 1


class FileIndex:
    """Paths of image files in a fixed order; see :func:`write_index` for making one.

    Args:
        path (str): The index file.
        digest (str, optional): Digest that it must have. Defaults to None: any.

    Attributes:
        header (dict): What the index was made from, and its ``digest``.
        folder_ids (np.ndarray): Number of each file's folder, (len(self),) uint32.
        folders (Sequence[str]): Paths of the folders below their roots.
        folder_roots (np.ndarray): Number of each folder's root, (len(folders),) uint16.
        folder_times (np.ndarray): Time of each folder's last change in ns, (len(folders),) int64; -1
            if it had changed too shortly before to tell a later change from it.

    Raises:
        IndexFileError: If the file is no index, is damaged or has another digest.
        OSError: If it cannot be opened.
    """

    def __init__(self, path: str, digest: str | None = None) -> None:
        self.path = path
        data = np.memmap(path, np.uint8, 'r') if os.path.getsize(path) else np.empty(0, np.uint8)
        self.header, arrays = _parse(data, path)
        if digest not in (None, self.header['digest']):
            raise IndexFileError(
                f'the index {path} was made anew while it was in use, because its folders changed; '
                'start again, or give each run its own folder by cache of UnlabelledImages'
            )
        self.names = _Strings(arrays['names'], arrays['name_offsets'])
        self.folder_ids = arrays['folder_ids']
        self.folders = _Strings(arrays['folders'], arrays['folder_offsets'])
        self.folder_roots = arrays['folder_roots']
        self.folder_times = arrays['folder_times']

    @property
    def digest(self) -> str:
        """Hash of all paths in order."""
        return self.header['digest']

    def __len__(self) -> int:
        return len(self.names)

    def relative(self, position: int) -> str:
        """Path of one file below its root."""
        return os.path.join(self.folders[self.folder_ids[position]], self.names[position])

    def __getitem__(self, position: int) -> str:
        """Full path of one file."""
        root = self.header['roots'][self.folder_roots[self.folder_ids[position]]]
        return os.path.join(root, self.relative(position))

    def stored(self, position: int) -> None:
        """Nothing: a file is read by its path, where a pack gives the bytes."""

    def __iter__(self) -> Iterator[str]:
        return (self[position] for position in range(len(self)))

    def __reduce__(self) -> tuple:
        return FileIndex, (self.path, self.digest)


def write_index(path: str, header: dict, folders: Iterable[tuple[int, bytes, int, Iterable[bytes]]]) -> FileIndex:
    """Write an index file, whole or not at all.

    Args:
        path (str): The index file. Where it exists it is replaced; who has it open keeps the old one.
        header (dict): What the index is made from, for JSON; its ``roots`` are the root folders.
        folders (Iterable): For each folder the number of its root, its path below the root, the time
            of its last change (ns) and the names of its files in order.

    Returns:
        FileIndex: The new index, open.
    """
    names, name_lengths, folder_sizes = bytearray(), [], []
    paths, path_lengths, roots, times = bytearray(), [], [], []
    for root, folder, changed, files in folders:
        count = 0
        for name in files:
            names += name
            name_lengths.append(len(name))
            count += 1
        folder_sizes.append(count)
        paths += folder
        path_lengths.append(len(folder))
        roots.append(root)
        times.append(changed)
    arrays = {
        'names': np.frombuffer(names, np.uint8),
        'name_offsets': _offsets(name_lengths),
        'folder_ids': np.repeat(np.arange(len(roots), dtype=np.uint32), folder_sizes),
        'folders': np.frombuffer(paths, np.uint8),
        'folder_offsets': _offsets(path_lengths),
        'folder_roots': np.array(roots, np.uint16),
    }
    digest = blake2b(digest_size=16)
    for array in arrays.values():
        digest.update(array)
    arrays['folder_times'] = np.array(times, np.int64)
    header = {**header, 'digest': digest.hexdigest(), 'arrays': {}}
    position = 0
    for name, array in arrays.items():
        header['arrays'][name] = (array.dtype.str, len(array), position)
        position += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
    text = json.dumps(header).encode()
    start = _MAGIC + struct.pack('<Q', len(text)) + text
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f'{path}.{uuid.uuid4().hex}'
    try:
        with open(temporary, 'xb') as file:
            for block in (start, *arrays.values()):
                size = file.write(block)
                file.write(bytes(-size % _ALIGNMENT))
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    return FileIndex(path, header['digest'])


def _offsets(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.uint64)]).astype(np.uint64)


def _parse(data: np.ndarray, path: str) -> tuple[dict, dict[str, np.ndarray]]:
    start = len(_MAGIC) + 8
    if data[: len(_MAGIC)].tobytes() != _MAGIC or len(data) < start:
        raise IndexFileError(f'{path} is no file index of this version; remove it')
    length = struct.unpack('<Q', data[len(_MAGIC) : start].tobytes())[0]
    try:
        header = json.loads(data[start : start + length].tobytes())
        base = -(-(start + length) // _ALIGNMENT) * _ALIGNMENT
        arrays = {}
        for name, (dtype, count, position) in header['arrays'].items():
            stop = base + position + count * np.dtype(dtype).itemsize
            # A view of exactly the promised bytes fails where the file is cut short.
            arrays[name] = data[base + position : stop].view(dtype)
            if len(arrays[name]) != count:
                raise ValueError
    except (ValueError, KeyError, TypeError):
        raise IndexFileError(f'the file index {path} is damaged; remove it') from None
    return header, arrays
