"""Folders of images -> a pack of them for pretraining, and what it holds verified."""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from hashlib import blake2b
from itertools import groupby
from pathlib import Path

from cmid_mm.datasets.file_index import FileIndex, write_index
from cmid_mm.datasets.index_cache import EXTENSIONS, open_index
from cmid_mm.datasets.names import printable
from cmid_mm.datasets.packed import DATA, INDEX, RECORD, is_pack, key_of, read_pack
from cmid_mm.datasets.unreadable_list import NAME as UNREADABLE
from cmid_mm.datasets.unreadable_list import append_unreadable
from cmid_mm.visualization.progress import ProgressBar

from .errors import PreparationError
from .outcome import Outcome
from .pack_form import Entry, PackForm, pack_image, stamp, stamped_size
from .pack_store import PackStore, digest_of
from .parallel import stream
from .record import Record
from .sources import some
from .writing import replacing

_VERSION = 1
# Of one transaction, which waits for the disk: images, and their bytes.
_MOST_ENTRIES, _MOST_BYTES = 256, 64 << 20
_CHUNK = 8  # images that a process packs at once: what it hands back is held in memory
_CONTENT = 'content'


def pack_images(
    sources: Sequence[str | Path],
    out: str | Path,
    list_files: Sequence[str | Path] | None = None,
    form: PackForm | None = None,
    max_unreadable: float = 0.01,
    workers: int = 1,
    cache: str | None = None,
) -> Outcome:
    """Write a pack, or go on with one that was begun; see :mod:`~cmid_mm.datasets.packed` for what it is.

    Args:
        sources: Folders of images.
        out: Folder of the pack.
        list_files: For each source a text file with a path below it a line, as ``UnlabelledImages`` takes it.
        form: How images are packed. Defaults to None: ``PackForm()``.
        max_unreadable: Share of the images that may be unreadable.
        workers: Processes.
        cache: Folder of the index of the sources; see ``UnlabelledImages``.

    Raises:
        PreparationError: If an argument is wrong, ``out`` was packed from other images or in another form, images
            have changed since, or too many are unreadable.
    """
    out, form = Path(out), form or PackForm()
    source = _open_source(sources, out, list_files, max_unreadable, cache)
    record = _open_record(out, source, form)
    finished = _CONTENT in record.parts
    if finished:
        read_pack(out)
    before, unreadable = _check_packed(source, out, finished)
    if not finished:
        _pack_rest(source, out, form, before + len(unreadable), unreadable, max_unreadable, workers)
        record.parts[_CONTENT] = _finish(source, out, unreadable)
        record.save()
    images, notes = _check_counts(source, out)
    return Outcome(out, images - before, before, notes)


def verify_pack(out: str | Path) -> Outcome:
    """Read all of a finished pack and compare it with the digests taken when it was written.

    Raises:
        PackError: If it is unfinished or cut short.
        PreparationError: If an entry is not what was written; the message names the keys.
    """
    out = Path(out)
    if not is_pack(out):
        raise PreparationError(f'{out} is no pack of images; give the folder that tools/datasets/pack.py has written')
    _, index = read_pack(out)
    content = Record(out, {}, [], RECORD).parts[_CONTENT]
    if _digest_of_file(out / INDEX) != content['index_file']:
        raise PreparationError(f'{out / INDEX} is not what was written; copy it again, or remove {out} and pack again')
    wrong = []
    with PackStore(out, readonly=True) as store, ProgressBar('verifying', len(index)) as bar:
        for number, (row, data) in enumerate(store.stored()):
            if data is None or digest_of(data) != row.digest:
                state = 'missing' if data is None else 'changed'
                wrong.append(f'{key_of(number)} ({printable(index.relative(number))}, {state})')
            bar.advance()
    if wrong:
        raise PreparationError(
            f'{len(wrong)} of the {len(index)} entries of {out / DATA} are not what was written: {some(wrong)}; copy '
            f'the pack again, or remove {out} and pack again'
        )
    return Outcome(out, 0, len(index), ['verified: every entry is what was written'])


def _open_source(
    sources: Sequence[str | Path],
    out: Path,
    list_files: Sequence[str | Path] | None,
    max_unreadable: float,
    cache: str | None,
) -> FileIndex:
    if not 0 <= max_unreadable <= 1:
        raise PreparationError(f'--max-unreadable {max_unreadable} is no share of the images; give 0 to 1')
    if list_files is not None and len(list_files) != len(sources):
        raise PreparationError(
            f'{len(list_files)} list files are given for {len(sources)} folders; give one for each folder'
        )
    for source in map(Path, sources):
        if not source.is_dir():
            raise PreparationError(f'{source} is no folder; give a folder of images')
        if is_pack(source):
            raise PreparationError(f'{source} is a pack already; give the folder of the images')
        if out.resolve().is_relative_to(source.resolve()):
            raise PreparationError(f'{out} lies in {source}, which is to be packed; write the pack beside it')
    for path in list_files or ():
        if not Path(path).is_file():
            raise PreparationError(f'the list {path} does not exist; give a text file with a path a line')
    try:
        return open_index(
            list(map(str, sources)), list_files and list(map(str, list_files)), EXTENSIONS, recursive=True, cache=cache
        )
    except ValueError as error:
        raise PreparationError(str(error)) from error


def _open_record(out: Path, source: FileIndex, form: PackForm) -> Record:
    made = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(form).items()}
    given = {'sources': source.header['roots'], 'list_files': source.header['lists']}
    record = Record(out, {'pack': _VERSION, **given, **made}, [out], RECORD)
    facts = {'number of images': len(source), 'hash of the names in order': source.digest}
    record.check_same('source', facts)
    if 'source' not in record.parts:
        record.parts['source'] = facts
        record.save()
    return record


def _check_packed(source: FileIndex, out: Path, finished: bool) -> tuple[int, dict[int, str]]:
    """Number of images packed so far, and which were left out and why; refuses files that have changed since."""
    unreadable = {}
    with PackStore(out, readonly=finished) as store, ProgressBar('looking at what is packed', store.sources) as bar:
        for position, row in enumerate(store.rows()):
            if stamp(source[position]) != row.stamp:
                raise PreparationError(
                    f'{printable(source[position])} has changed since {out} was packed from it; remove {out}, or write '
                    'to another folder'
                )
            if row.digest is None:
                unreadable[position] = row.reason
            bar.advance()
        return store.images, unreadable


def _pack_rest(
    source: FileIndex,
    out: Path,
    form: PackForm,
    first: int,
    unreadable: dict[int, str],
    max_unreadable: float,
    workers: int,
) -> None:
    """Pack the source from file number ``first`` on; adds to ``unreadable``."""
    _check_unreadable(source, out, unreadable, max_unreadable)
    rest = range(first, len(source))
    entries = stream(partial(pack_image, source=source, form=form), rest, workers, 'packing images', first, _CHUNK)
    with closing(entries):
        for batch in _batches(entries):
            # Opened only now, when the processes have been forked: LMDB must not be open across a fork.
            with PackStore(out) as store:
                store.write(first, batch)
            new = {first + n: entry.reason for n, entry in enumerate(batch) if entry.data is None}
            first += len(batch)
            if new:
                unreadable.update(new)
                _check_unreadable(source, out, unreadable, max_unreadable)


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    batch, size = [], 0
    for entry in entries:
        batch.append(entry)
        size += len(entry.data or b'')
        if len(batch) == _MOST_ENTRIES or size >= _MOST_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check_unreadable(source: FileIndex, out: Path, unreadable: dict[int, str], most: float) -> None:
    if len(unreadable) > most * len(source):
        first = min(unreadable)
        raise PreparationError(
            f'{len(unreadable)} of {len(source)} images cannot be read, more than --max-unreadable {most:g} (the '
            f'first, {printable(source[first])}: {unreadable[first]}); they are listed in '
            f'{_list_unreadable(source, out, unreadable)}: repair or remove them, remove {out} and pack '
            'again, or go on with a higher --max-unreadable'
        )


def _list_unreadable(source: FileIndex, out: Path, unreadable: dict[int, str]) -> Path:
    path = out / UNREADABLE
    with replacing(path) as part:
        part.unlink(missing_ok=True)
        append_unreadable(str(part), {source[position]: reason for position, reason in unreadable.items()})
    return path


def _finish(source: FileIndex, out: Path, unreadable: dict[int, str]) -> dict:
    """Write the names; what the record says of a finished pack."""
    if len(unreadable) == len(source):
        raise PreparationError(
            f'none of the {len(source)} images can be read ({printable(source[0])}: {unreadable[0]})'
        )
    if unreadable:
        _list_unreadable(source, out, unreadable)
    index = write_index(str(out / INDEX), {'roots': source.header['roots']}, _packed_names(source, unreadable))
    (out / 'lock.mdb').unlink(missing_ok=True)  # of writing only; packs are read without a lock
    return {
        'images': len(index),
        'unreadable': len(unreadable),
        'bytes': (out / DATA).stat().st_size,
        'index': index.digest,
        'index_file': _digest_of_file(out / INDEX),
    }


def _packed_names(source: FileIndex, unreadable: dict[int, str]) -> Iterator[tuple[int, bytes, int, list[bytes]]]:
    for folder, positions in groupby(range(len(source)), lambda position: int(source.folder_ids[position])):
        names = [os.fsencode(source.names[position]) for position in positions if position not in unreadable]
        yield int(source.folder_roots[folder]), os.fsencode(source.folders[folder]), 0, names


def _digest_of_file(path: Path) -> str:
    return blake2b(path.read_bytes(), digest_size=16).hexdigest()


def _check_counts(source: FileIndex, out: Path) -> tuple[int, list[str]]:
    """Number of images of the finished pack, and notes; refuses one whose parts disagree."""
    _, index = read_pack(out)
    given = packed = left_out = 0
    with PackStore(out, readonly=True) as store:
        for row in store.rows():
            given += stamped_size(row.stamp)
            packed += row.digest is not None
            left_out += row.digest is None
        counts = {packed, store.images, len(index), len(source) - left_out}
    if len(counts) > 1:
        raise PreparationError(
            f'{out} is damaged: it has {store.images} entries and {len(index)} names of {packed} images packed and '
            f'{left_out} left out, of {len(source)}; remove it and pack again'
        )
    size = (out / DATA).stat().st_size
    notes = [f'{packed:,} images: {given / 1e6:,.1f} MB of files, {size / 1e6:,.1f} MB packed']
    if left_out:
        notes.append(f'{left_out} unreadable images were left out; they are listed in {out / UNREADABLE}')
    return packed, notes
