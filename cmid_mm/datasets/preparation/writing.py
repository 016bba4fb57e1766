"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from .errors import PreparationError
from .sources import SourceFile


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Path of a hidden file beside ``path`` that takes its name when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.part')
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    with replacing(path) as part:
        part.write_text(text, encoding='utf-8')


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write a PNG of RGB pixels (H, W, 3) or of a mask (H, W), uint8."""
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    # OpenCV cannot open every path that Python can, so it encodes and Python writes.
    data = cv2.imencode('.png', pixels)[1].tobytes()
    with replacing(path) as part:
        part.write_bytes(data)


def copy_file(source: SourceFile, path: Path) -> None:
    """Write the bytes of a source file to ``path``."""
    with replacing(path) as part, part.open('wb') as target:
        source.copy_to(target)


def link_or_copy(source: SourceFile, path: Path) -> None:
    """Make ``path`` a link to a source file that lies in a folder, or a copy of one that lies in an archive."""
    if source.zipped:
        copy_file(source, path)
        return
    with replacing(path) as part:
        part.unlink(missing_ok=True)
        os.symlink((source.container / source.member).absolute(), part)


def is_copied(source: SourceFile, path: Path) -> bool:
    """Whether ``path`` holds ``source`` already, told by its size.

    Raises:
        PreparationError: If something else is there.
    """
    if not path.exists():
        return False
    if path.stat().st_size != source.size:
        raise PreparationError(
            f'{path} is there already and is not {source}; remove it, or write to another folder with --out'
        )
    return True
