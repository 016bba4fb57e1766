"""The LMDB of a pack while it is written and verified.

The main table holds the bytes of the images by :func:`~cmid_mm.datasets.packed.key_of`. The table ``sources`` has a row
for each source file, by its place in the source: its stamp and the digest of its entry, or why it was left out. Both
grow in one transaction, so a run that was killed has left whole rows only and can count them to go on.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from cmid_mm.datasets.packed import DATA, import_lmdb, key_of

from .errors import PreparationError
from .pack_form import Entry

_SOURCES = b'#sources'  # sorts before the keys of images
_PAGE = 4096
_SPARE = 64 << 20
_PACKED, _LEFT_OUT = b'+', b'-'
_STAMP = 16


class Row(NamedTuple):
    """What is known of a source file that was packed.

    Attributes:
        stamp (bytes): Of the file.
        digest (bytes | None): Of the entry's bytes; None for a file that was left out.
        reason (str): Why it was left out.
    """

    stamp: bytes
    digest: bytes | None
    reason: str = ''


def digest_of(data: bytes | memoryview) -> bytes:
    """BLAKE2b of 16 bytes."""
    return blake2b(data, digest_size=16).digest()


class PackStore:
    """The LMDB, open in this process. Use it in a ``with`` statement.

    Args:
        folder: Of the pack; it exists.
        readonly: Whether to read only.

    Attributes:
        images (int): Entries.
        sources (int): Source files that are dealt with.

    Raises:
        PreparationError: If it is damaged or cannot be written.
    """

    def __init__(self, folder: Path, readonly: bool = False) -> None:
        self.path = folder / DATA
        lmdb = import_lmdb(folder)
        self._error = lmdb.Error
        size = self.path.stat().st_size if self.path.exists() else 0
        options = dict(readonly=True, lock=False) if readonly else dict(map_size=size + _SPARE)
        with self._named():
            self._environment = lmdb.open(str(folder), max_dbs=1, readahead=readonly, **options)
            self._table = self._environment.open_db(_SOURCES, create=not readonly)
            with self._environment.begin() as transaction:
                self.images = transaction.stat()['entries'] - 1  # the name of the other table is one
                self.sources = transaction.stat(self._table)['entries']

    def write(self, first: int, entries: Sequence[Entry]) -> None:
        """Add source files from number ``first`` on, all or none of them."""
        with self._named():
            self._make_room(sum(len(entry.data or b'') + 2 * _PAGE for entry in entries))
            with self._environment.begin(write=True) as transaction:
                images, sources = self.images, transaction.stat(self._table)['entries']
                if sources != first:
                    raise PreparationError(f'{self.path} is being written by another run too; end one of them')
                for entry in entries:
                    if entry.data is None:
                        row = _LEFT_OUT + entry.stamp + entry.reason.encode(errors='backslashreplace')
                    else:
                        row = _PACKED + entry.stamp + digest_of(entry.data)
                        transaction.put(key_of(images).encode(), entry.data)
                        images += 1
                    transaction.put(key_of(sources).encode(), row, db=self._table)
                    sources += 1
            self.images, self.sources = images, sources

    def rows(self) -> Iterator[Row]:
        """What is known of the source files, in their order."""
        with self._named(), self._environment.begin() as transaction:
            for _, row in transaction.cursor(self._table):
                stamp, rest = row[1 : 1 + _STAMP], row[1 + _STAMP :]
                yield Row(stamp, rest) if row[:1] == _PACKED else Row(stamp, None, rest.decode())

    def stored(self) -> Iterator[tuple[Row, bytes | None]]:
        """Row and bytes of each image, in order; None for bytes that are missing."""
        with self._named(), self._environment.begin(buffers=True) as transaction:
            number = 0
            for row in self.rows():
                if row.digest is not None:
                    yield row, transaction.get(key_of(number).encode())
                    number += 1

    def close(self) -> None:
        """Close it."""
        self._environment.close()

    def __enter__(self) -> 'PackStore':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _make_room(self, size: int) -> None:
        """Enlarge the map, in doublings: one of a terabyte from the start would break limits on address space."""
        info = self._environment.info()
        needed = (info['last_pgno'] + 1) * _PAGE + size + _SPARE
        if needed > info['map_size']:
            self._environment.set_mapsize(max(needed, 2 * info['map_size']))

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise PreparationError(
                f'{self.path} cannot be read or written ({error}); make room on the disk and run the same command '
                f'again, or remove {os.path.dirname(self.path)} and pack again'
            ) from error
