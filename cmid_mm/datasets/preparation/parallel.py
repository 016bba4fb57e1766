"""One function over many files, in several processes, with a bar; results in the order of the files."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from typing import TypeVar

import cv2

from cmid_mm.visualization.progress import ProgressBar

from .errors import PreparationError

Item = TypeVar('Item')
Result = TypeVar('Result')
_LARGEST_CHUNK = 64
_CHUNKS_AHEAD = 8  # for each worker


def run(function: Callable[[Item], Result], items: Sequence[Item], workers: int, what: str) -> list[Result]:
    """Call ``function`` for each item, and show how far it is.

    Args:
        function: Of a module, or a ``partial`` of one.
        items: What to call it with.
        workers: Processes; 1 works in this one.
        what: Name of the task.

    Returns:
        list: Results in the order of the items.

    Raises:
        PreparationError: If a process was killed. Errors of ``function`` pass through, the first item's first.
    """
    return list(stream(function, items, workers, what))


def stream(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    what: str,
    done: int = 0,
    largest_chunk: int = _LARGEST_CHUNK,
) -> Iterator[Result]:
    """The same as :func:`run`, one result after another, with few of them in memory at a time.

    Close the iterator where it is left early; that ends the processes.

    Args:
        function, items, workers, what: See :func:`run`.
        done: Items that an earlier run has done, for the bar.
        largest_chunk: Items that a process may take at once; 8 such chunks a process may wait to be fetched.
    """
    if workers < 1:
        raise PreparationError(f'--workers {workers} is too few; give at least 1')
    if not items:
        return
    if workers == 1:
        with ProgressBar(what, done + len(items), done) as bar:
            for item in items:
                yield function(item)
                bar.advance()
        return
    size = max(1, min(largest_chunk, len(items) // (8 * workers)))
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    # The platform's own way to start processes: on Linux a fork, which spares each worker seconds of imports, but
    # would hang in a pool of threads inherited from OpenCV.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield from _run_chunks(function, chunks, workers, partial(ProgressBar, what, done + len(items), done))
    except BrokenProcessPool as error:
        raise PreparationError(
            f'{what}: a process was killed, maybe for lack of memory; give fewer --workers'
        ) from error
    finally:
        cv2.setNumThreads(threads)


def _run_chunks(
    function: Callable[[Item], Result],
    chunks: Sequence[Sequence[Item]],
    workers: int,
    make_bar: Callable[[], ProgressBar],
) -> Iterator[Result]:
    waiting = iter(chunks)
    with ProcessPoolExecutor(workers, multiprocessing.get_context()) as pool:
        # All forks happen at the first of these, before the bar starts its thread.
        futures = deque(pool.submit(_run_chunk, function, chunk) for chunk in islice(waiting, _CHUNKS_AHEAD * workers))
        try:
            with make_bar() as bar:
                while futures:
                    results = futures.popleft().result()
                    futures.extend(pool.submit(_run_chunk, function, chunk) for chunk in islice(waiting, 1))
                    yield from results
                    bar.advance(len(results))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _run_chunk(function: Callable[[Item], Result], chunk: Sequence[Item]) -> list[Result]:
    return [function(item) for item in chunk]
