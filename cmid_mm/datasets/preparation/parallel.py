"""One function over many files, in several processes, with a bar."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from cmid_mm.visualization.progress import ProgressBar

from .errors import PreparationError

Item = TypeVar('Item')
Result = TypeVar('Result')
_LARGEST_CHUNK = 64


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
    if workers < 1:
        raise PreparationError(f'--workers {workers} is too few; give at least 1')
    if not items:
        return []
    if workers == 1:
        results = []
        with ProgressBar(what, len(items)) as bar:
            for item in items:
                results.append(function(item))
                bar.advance()
        return results
    size = max(1, min(_LARGEST_CHUNK, len(items) // (8 * workers)))
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    # The platform's own way to start processes: on Linux a fork, which spares each worker seconds of imports, but
    # would hang in a pool of threads inherited from OpenCV.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return _run_chunks(function, chunks, workers, what, len(items))
    except BrokenProcessPool as error:
        raise PreparationError(
            f'{what}: a process was killed, maybe for lack of memory; give fewer --workers'
        ) from error
    finally:
        cv2.setNumThreads(threads)


def _run_chunks(
    function: Callable[[Item], Result], chunks: list[Sequence[Item]], workers: int, what: str, total: int
) -> list[Result]:
    results = []
    with ProcessPoolExecutor(workers, multiprocessing.get_context()) as pool:
        # All forks happen here, before the bar starts its thread.
        futures = [pool.submit(_run_chunk, function, chunk) for chunk in chunks]
        try:
            with ProgressBar(what, total) as bar:
                for chunk, future in zip(chunks, futures, strict=True):
                    results += future.result()
                    bar.advance(len(chunk))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def _run_chunk(function: Callable[[Item], Result], chunk: Sequence[Item]) -> list[Result]:
    return [function(item) for item in chunk]
