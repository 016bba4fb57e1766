"""What the command lines of the data tools have in common."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from cmid_mm.datasets.decoding import BandError, UnreadableImageError
from cmid_mm.datasets.packed import PackError

from .errors import PreparationError
from .outcome import Outcome

# A worker on a scene of 6000 pixels a side takes some 400 MB of its own, and more workers wait for the disk.
_MOST_WORKERS = 8


def make_parser(
    description: str,
    page: str,
    citation: str,
    out: str,
    form: str,
    before: tuple[str, Iterable[str]] | None = None,
) -> argparse.ArgumentParser:
    """A parser with the arguments of every data tool.

    Args:
        description: What the tool does.
        page: Official download page.
        citation: The paper to cite.
        out: Default folder to write to, or how it is formed.
        form: What the sources hold, in the official form.
        before: Name and choices of an argument that comes first.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog=f'Download: {page}\n\nCitation: {citation}\n\nNothing is downloaded by this tool.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if before is not None:
        parser.add_argument(before[0], choices=list(before[1]))
    parser.add_argument('sources', type=Path, nargs='+', help=f'zip archives, or folders of them or unpacked: {form}')
    parser.add_argument('--out', type=Path, default=None, help=f'folder to write to (default: {out})')
    add_workers(parser)
    return parser


def add_workers(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add ``--workers``, by further names too."""
    workers = min(_MOST_WORKERS, os.cpu_count() or 1)
    parser.add_argument('--workers', *names, type=int, default=workers, help='processes (default: %(default)s)')


def add_allow_missing(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--allow-missing``."""
    parser.add_argument('--allow-missing', action='store_true', help=f'go on without {what}, and say which')


def run_command(name: str, prepare: Callable[[], Outcome]) -> None:
    """Print what ``prepare`` has done, or end the program with its one-sentence error."""
    try:
        print(prepare())
    except (PreparationError, PackError, UnreadableImageError, BandError, OSError) as error:
        sys.exit(f'{name}: {error}')
    except KeyboardInterrupt:
        sys.exit(f'{name}: interrupted; the same command goes on from here')
