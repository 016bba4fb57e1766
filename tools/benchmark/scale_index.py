"""What the index of many file names costs beside a list of paths; part of scale.py."""

import os
import pickle
import random
import statistics
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from process_memory import forget_peak, memory_mb

from cmid_mm.datasets.index_cache import EXTENSIONS, open_index

NAMES_A_FOLDER = 1000
BYTES_A_NAME = 1024  # more than any usual file system takes for an empty file


def check_room(names: int) -> None:
    """Raise ValueError where the temporary folder has no room for that many files."""
    if not Path('/proc/self/smaps_rollup').is_file():
        raise ValueError('the memory of an index is read from /proc, which this system lacks; leave out index')
    status = os.statvfs(gettempdir())
    needed = names + names // NAMES_A_FOLDER + 100
    if status.f_files and status.f_favail < needed:
        raise ValueError(f'{gettempdir()} has room for {status.f_favail} files, {needed} are needed; set TMPDIR')
    free = status.f_bavail * status.f_frsize
    if free < names * BYTES_A_NAME:
        raise ValueError(
            f'{gettempdir()} has {free / 2**20:.0f} MB left, {names * BYTES_A_NAME / 2**20:.0f} are needed; set TMPDIR'
        )


def measure(names: int, rounds: int) -> dict:
    """Index a tree of empty files, and list it, in turns; each in a process of its own.

    Args:
        names (int): Files, 1000 a folder.
        rounds (int): Turns, of which medians are taken.

    Returns:
        dict: ``index`` and ``list`` with ``build_s``, ``build_peak_mb`` (growth of the resident memory at its peak),
        ``kept_mb`` (private memory that the open index or the list holds), ``worker_pickle_mb`` (what is sent to a
        worker that is spawned), ``worker_mb`` and ``worker_read_s`` (private memory that a forked worker adds by
        reading every path once in a random order, and its time); of the index also ``file_mb`` and ``open_s``.
        ``ratio`` holds index / list. A MB is 2^20 bytes.
    """
    check_room(names)
    with TemporaryDirectory(prefix='scale-') as folder:
        tree = Path(folder, 'images')
        _make_tree(tree, names)
        _in_child(_list, tree)  # the folders are then in the system's cache for all
        rows: dict[str, list[dict]] = dict(index=[], list=[])
        for turn in range(rounds):
            cache = Path(folder, f'cache{turn}')
            built = _in_child(_build, tree, cache)
            rows['index'].append(built | _in_child(_open, tree, cache))
            rows['list'].append(_in_child(_list, tree))
    figures = {
        kind: {key: statistics.median(row[key] for row in turns) for key in turns[0]} for kind, turns in rows.items()
    }
    ratio = {key: figures['index'][key] / value for key, value in figures['list'].items() if value}
    return dict(names=names, folders=-(-names // NAMES_A_FOLDER), **figures, ratio=ratio)


def _make_tree(tree: Path, names: int) -> None:
    for first in range(0, names, NAMES_A_FOLDER):
        folder = tree / f'{first // NAMES_A_FOLDER:04d}'
        folder.mkdir(parents=True)
        for number in range(first, min(first + NAMES_A_FOLDER, names)):
            os.close(os.open(folder / f'scene_{number:07d}.jpg', os.O_CREAT))
        # Folders that have just changed are never trusted to be those of the index.
        os.utime(folder, (0, 0))
    os.utime(tree, (0, 0))


def _build(tree: Path, cache: Path) -> dict:
    with _Growth() as growth:
        open_index([str(tree)], cache=str(cache))
    for file in cache.iterdir():
        with file.open('rb') as written:
            os.fsync(written)  # what waits to be written to disk would count as private memory of who reads it
    return dict(build_s=growth.seconds, build_peak_mb=growth.peak_mb)


def _open(tree: Path, cache: Path) -> dict:
    with _Growth() as growth:
        index = open_index([str(tree)], cache=str(cache))
    file_mb = sum(file.stat().st_size for file in cache.iterdir()) / 2**20
    return dict(open_s=growth.seconds, kept_mb=growth.kept_mb, file_mb=file_mb) | _worker(index)


def _list(tree: Path) -> dict:
    with _Growth() as growth:
        paths = sorted(
            os.path.join(folder, name)
            for folder, _, files in os.walk(tree)
            for name in files
            if name.lower().endswith(EXTENSIONS)
        )
    return dict(build_s=growth.seconds, build_peak_mb=growth.peak_mb, kept_mb=growth.kept_mb) | _worker(paths)


def _worker(paths: Sequence[str]) -> dict:
    """What a worker costs: spawned, the pickle; forked, what it copies by reading."""
    pickled = len(pickle.dumps(paths)) / 2**20
    return dict(worker_pickle_mb=pickled) | _in_child(_read_all, paths)


def _read_all(paths: Sequence[str]) -> dict:
    order = list(range(len(paths)))
    random.Random(0).shuffle(order)
    with _Growth() as growth:
        for position in order:
            paths[position]
    return dict(worker_mb=growth.kept_mb, worker_read_s=growth.seconds)


class _Growth:
    """Seconds and memory that a block takes."""

    def __enter__(self) -> '_Growth':
        forget_peak()
        self._resident, self._private = memory_mb('VmHWM'), memory_mb('Private_Dirty', 'smaps_rollup')
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_) -> None:
        self.seconds = time.perf_counter() - self._started
        self.peak_mb = memory_mb('VmHWM') - self._resident
        self.kept_mb = memory_mb('Private_Dirty', 'smaps_rollup') - self._private


def _in_child(function: Callable[..., dict], *arguments) -> dict:
    """Call a function in a forked process, so that no memory of an earlier call is used again."""
    context = get_context('fork')
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=lambda: theirs.send(function(*arguments)))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        raise RuntimeError(f'{function.__name__} failed; its message stands above') from None
    finally:
        child.join()
