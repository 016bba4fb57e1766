"""MillionAID: the test images, which pretraining reads without labels, and a list of them."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from .errors import PreparationError
from .outcome import Outcome
from .parallel import run
from .sources import SourceFile, by_key, list_files, some
from .writing import is_copied, link_or_copy, write_text

IMAGES = 990_848
_IMAGE = re.compile(r'(?:^|/)test[^/]*/(?:[^/]+/)*([^/]+\.(?:jpg|jpeg|png|tif|tiff))$', re.IGNORECASE)


def prepare_millionaid(
    sources: Sequence[str | Path], out: str | Path = 'data/millionaid', allow_missing: bool = False, workers: int = 1
) -> Outcome:
    """Write ``out/test/`` and ``out/test.txt``, one file name a line, sorted.

    Images of archives are unpacked. Images of folders are linked, not copied: they take 140 GB.

    Args:
        sources: Archives of ``test/*.jpg`` (or called ``test*.zip``), or folders called ``test``, or what holds them.
        out: Folder to write to.
        allow_missing: Go on with a number of images other than 990,848.
        workers: Processes.

    Raises:
        PreparationError: If there are no such images, too few or too many, an image is empty, or ``out`` holds others.
    """
    out, where = Path(out), ', '.join(map(str, sources))
    files = by_key(list_files(sources), _name)
    if not files:
        raise PreparationError(
            f'{where} holds no test/*.jpg of MillionAID; give the archives or the folder of its test images'
        )
    empty = [file for file in files.values() if file.size == 0]
    if empty:
        raise PreparationError(f'{some(empty)} is empty; unpack or download it again')
    notes = []
    if len(files) != IMAGES:
        number = f'{len(files):,} images instead of the {IMAGES:,} of the test set'
        if not allow_missing:
            raise PreparationError(f'{where} holds {number}; add what is missing, or go on with --allow-missing')
        notes.append(f'not the official set: {number}')
    text = ''.join(f'{name}\n' for name in sorted(files))
    list_file = out / 'test.txt'
    todo = [file for name, file in files.items() if not is_copied(file, out / 'test' / name)]
    run(partial(_place, folder=out / 'test'), todo, workers, 'unpacking or linking images')
    if not list_file.exists() or list_file.read_text(encoding='utf-8') != text:
        write_text(list_file, text)
        notes.append(f'wrote the list {list_file} of {len(files):,} images')
    return Outcome(out, len(todo), len(files) - len(todo), notes)


def _name(file: SourceFile) -> str | None:
    match = _IMAGE.search(file.location)
    return match and match[1]


def _place(file: SourceFile, folder: Path) -> None:
    link_or_copy(file, folder / file.name)
