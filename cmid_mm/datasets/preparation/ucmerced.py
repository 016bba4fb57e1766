"""UC Merced Land Use: class folders, and a split of each class that is drawn once and kept."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cmid_mm.datasets.decoding import Decoding, decode_bytes

from .errors import PreparationError
from .outcome import Outcome
from .parallel import run
from .sources import SourceFile, by_key, list_files, some
from .writing import copy_file, is_copied, write_text

CLASSES = (
    'agricultural',
    'airplane',
    'baseballdiamond',
    'beach',
    'buildings',
    'chaparral',
    'denseresidential',
    'forest',
    'freeway',
    'golfcourse',
    'harbor',
    'intersection',
    'mediumresidential',
    'mobilehomepark',
    'overpass',
    'parkinglot',
    'river',
    'runway',
    'sparseresidential',
    'storagetanks',
    'tenniscourt',
)
IMAGES_A_CLASS = 100
SPLIT_FILES = ('train.txt', 'val.txt')
_IMAGE = re.compile(r'(?:^|/)([a-z]+)/(\1\d+\.(?:tif|tiff|png|jpg|jpeg))$', re.IGNORECASE)
_WHOLE = Decoding(reduction=lambda height, width: 1, bands=None, value_range=None, max_pixels=10_000_000)


def prepare_ucmerced(
    sources: Sequence[str | Path],
    out: str | Path = 'data/ucmerced',
    seed: int = 0,
    val_fraction: float = 0.2,
    new_split: bool = False,
    allow_missing: bool = False,
    workers: int = 1,
) -> Outcome:
    """Write ``out/<class>/<class>NN.tif``, bytes as they are, and ``out/{train,val}.txt``.

    A line of the split files is ``<class>/<file> <label>``, labels in the order of :data:`CLASSES`. Split files that
    are there are kept: another run of the same tool must not move images between training and validation.

    Args:
        sources: ``UCMerced_LandUse.zip``, or folders with ``<class>/<class>NN.tif`` somewhere in them.
        out: Folder to write to.
        seed: Of the split.
        val_fraction: Share of each class that is held out.
        new_split: Draw the split anew even if there is one.
        allow_missing: Go on with fewer than 100 images a class.
        workers: Processes.

    Raises:
        PreparationError: If classes or images are missing or unknown, or a split that is there does not fit the images.
        UnreadableImageError: If an image is damaged.
    """
    if not 0 < val_fraction < 1:
        raise PreparationError(f'--val-fraction {val_fraction} is no share; give one between 0 and 1')
    out = Path(out)
    files = by_key(list_files(sources), _place)
    notes = _check_complete(files, sources, allow_missing)
    names = sorted(files, key=lambda name: (CLASSES.index(name.split('/')[0]), name))
    lines = [f'{name} {CLASSES.index(name.split("/")[0])}' for name in names]
    kept = {} if new_split else _read_split(out, lines)
    todo = [(files[name], out / name) for name in names if not is_copied(files[name], out / name)]
    run(_check_image, todo, workers, 'checking images')
    run(_copy, todo, workers, 'copying images')
    if len(kept) == len(SPLIT_FILES):
        notes.append(f'kept the split that was there ({out / "train.txt"}, val.txt); --new-split draws another')
    else:
        split = _complete(kept, lines) if kept else _draw(lines, seed, val_fraction)
        for name in SPLIT_FILES:
            write_text(out / name, ''.join(f'{line}\n' for line in split[name]))
        sizes = ' and '.join(f'{len(split[name])} in {name}' for name in SPLIT_FILES)
        notes.append(f'wrote the split of seed {seed}: {sizes}' if not kept else f'completed the split: {sizes}')
    return Outcome(out, len(todo), len(names) - len(todo), notes)


def _place(file: SourceFile) -> str | None:
    match = _IMAGE.search(file.location)
    if match is None:
        return None
    if match[1] not in CLASSES:
        raise PreparationError(f"{file} lies in the folder of no class of UC Merced ('{match[1]}'); remove that folder")
    return f'{match[1]}/{match[2]}'


def _check_complete(files: dict, sources: Sequence[str | Path], allow_missing: bool) -> list[str]:
    where = ', '.join(map(str, sources))
    if not files:
        raise PreparationError(f'{where} holds no <class>/<class>NN.tif of UC Merced; give UCMerced_LandUse.zip')
    counts = Counter(name.split('/')[0] for name in files)
    absent = [name for name in CLASSES if name not in counts]
    if absent:
        raise PreparationError(f'{where} has no images of {some(absent)}; unpack or download the data set again')
    short = [f'{name} ({counts[name]})' for name in CLASSES if counts[name] != IMAGES_A_CLASS]
    if not short:
        return []
    if not allow_missing:
        raise PreparationError(
            f'{where} has other than {IMAGES_A_CLASS} images of {some(short)}; unpack or download the data set again, '
            'or go on with --allow-missing'
        )
    return [f'not the official set: other than {IMAGES_A_CLASS} images of {some(short, len(short))}']


def _check_image(task: tuple[SourceFile, Path]) -> None:
    decode_bytes(task[0].read(), str(task[0]), _WHOLE)


def _copy(task: tuple[SourceFile, Path]) -> None:
    copy_file(*task)


def _read_split(out: Path, lines: Sequence[str]) -> dict[str, list[str]]:
    """Split files that are there, checked against the images: each once, each with its label."""
    paths = [out / name for name in SPLIT_FILES if (out / name).exists()]
    split = {path.name: path.read_text(encoding='utf-8').splitlines() for path in paths}
    advice = 'restore it, or draw another split with --new-split'
    known, seen = set(lines), set()
    for path in paths:
        for number, line in enumerate(split[path.name], 1):
            if line not in known:
                raise PreparationError(f"{path}:{number}: '{line}' is none of the images with its label; {advice}")
            if line in seen:
                raise PreparationError(f"{path}:{number}: '{line}' stands in the split twice; {advice}")
            seen.add(line)
    if len(paths) == len(SPLIT_FILES) and len(seen) < len(known):
        missing = sorted(known - seen)
        raise PreparationError(f'{out / "train.txt"} and val.txt lack {some(missing)}; {advice}')
    return split


def _complete(split: dict[str, list[str]], lines: Sequence[str]) -> dict[str, list[str]]:
    """The file that an interrupted run has not written holds the images that the other does not."""
    ((there, kept),) = split.items()
    (other,) = set(SPLIT_FILES) - {there}
    held = set(kept)
    return {there: kept, other: [line for line in lines if line not in held]}


def _draw(lines: Sequence[str], seed: int, val_fraction: float) -> dict[str, list[str]]:
    """Hold out ``val_fraction`` of each class."""
    # NumPy promises that the stream of RandomState never changes.
    generator = np.random.RandomState(seed)
    held = set()
    for label in range(len(CLASSES)):
        members = [line for line in lines if int(line.split()[1]) == label]
        order = generator.permutation(len(members))
        held.update(members[position] for position in order[: round(val_fraction * len(members))])
    return {
        'train.txt': [line for line in lines if line not in held],
        'val.txt': [line for line in lines if line in held],
    }
