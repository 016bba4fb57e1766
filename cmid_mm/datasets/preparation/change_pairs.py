"""CDD, and folders of change pairs like it: two dates and a label a sample, labels written as 0 and 1."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cmid_mm.datasets.decoding import Decoding, decode_bytes

from .errors import PreparationError
from .outcome import Outcome
from .parallel import run
from .sources import SourceFile, by_key, list_files, some
from .writing import copy_file, is_copied, write_png

SPLITS = ('train', 'val', 'test')
OFFICIAL = 'Real/subset'
_PARTS = ('A', 'B', 'OUT')
_FILE = re.compile(r'^((?:.*/)?)(train|val|test)/(A|B|OUT|label)/([^/]+)\.(jpg|jpeg|png|tif|tiff|bmp)$')
_JPEG = b'\xff\xd8\xff'
# Labels come with 0 to 255 at most; a wider range would be stretched to the values that occur.
_LABEL = Decoding(reduction=lambda height, width: 1, bands=None, value_range=(0, 255), max_pixels=100_000_000)
# A JPEG label is grey along its edges only; a picture is grey all over.
_MOST_GREY = 0.25


class _Sample(NamedTuple):
    first: SourceFile
    second: SourceFile
    label: SourceFile
    folder: Path  # of the split
    stem: str

    def images(self) -> list[tuple[SourceFile, Path]]:
        """Each date and where it is written."""
        pairs = (('A', self.first), ('B', self.second))
        return [(file, self.folder / part / f'{self.stem}{Path(file.name).suffix}') for part, file in pairs]

    def label_path(self) -> Path:
        """Where the label is written."""
        return self.folder / 'OUT' / f'{self.stem}.png'


def prepare_change_pairs(
    sources: Sequence[str | Path], out: str | Path = 'data/cdd', allow_missing: bool = False, workers: int = 1
) -> Outcome:
    """Write ``out/{train,val,test}/{A,B,OUT}/``.

    Images keep their bytes and their suffix. Labels become PNG masks of 0 (unchanged) and 1 (changed). A label that
    is stored as JPEG has values around 0 and 255, and is cut at 128; any other holds 0 and 255 or 0 and 1 exactly.

    Args:
        sources: ``ChangeDetectionDataset.zip`` (its ``Real/subset`` is taken), or folders with
            ``{train,val,test}/{A,B,OUT}``; the label folder may be called ``label``, as in LEVIR-CD.
        out: Folder to write to.
        allow_missing: Go on without some of the three splits.
        workers: Processes.

    Raises:
        PreparationError: If splits or files of a sample are missing, its files differ in size, or a label has other
            values.
        UnreadableImageError: If a file is damaged.
    """
    out, where = Path(out), ', '.join(map(str, sources))
    samples = _pair(_choose_root(list_files(sources), where), out)
    absent = [split for split in SPLITS if not any(sample.folder.name == split for sample in samples)]
    if absent and not allow_missing:
        raise PreparationError(f'{where} has no {", ".join(absent)} split; add it, or go on with --allow-missing')
    todo = [sample for sample in samples if not _stands(sample)]
    soft = run(_check, todo, workers, 'checking pairs')
    run(_write, todo, workers, 'writing pairs')
    notes = [f'without the {", ".join(absent)} split'] if absent else []
    if any(soft):
        notes.append(f'{sum(soft)} labels are JPEG files, whose soft values were cut at 128')
    return Outcome(out, len(todo), len(samples) - len(todo), notes)


def _choose_root(files: Sequence[SourceFile], where: str) -> dict[tuple[str, str, str], SourceFile]:
    """``(split, part, stem)`` to file, of the one folder that holds the splits."""
    roots = defaultdict(list)
    for file in files:
        if match := _FILE.match(file.location):
            roots[match[1]].append(file)
    if not roots:
        raise PreparationError(f'{where} holds no {{train,val,test}}/{{A,B,OUT}}; give the archive or folder of CDD')
    if len(roots) > 1:
        # CDD has drawn pairs beside its real ones.
        official = [root for root in roots if root.endswith(f'{OFFICIAL}/')]
        whole = [root for root in roots if _splits(roots[root]) == set(SPLITS)]
        if not official and whole:
            raise PreparationError(f'{where} holds several data sets ({some(sorted(roots))}); give the folder of one')
        if official:
            roots = {root: roots[root] for root in official}
    return by_key([file for found in roots.values() for file in found], _key)


def _splits(files: Sequence[SourceFile]) -> set[str]:
    return {_FILE.match(file.location)[2] for file in files}


def _key(file: SourceFile) -> tuple[str, str, str]:
    _, split, part, stem, _ = _FILE.match(file.location).groups()
    return split, 'OUT' if part == 'label' else part, stem


def _pair(files: dict[tuple[str, str, str], SourceFile], out: Path) -> list[_Sample]:
    samples = []
    for split, stem in sorted({(split, stem) for split, _, stem in files}):
        found = [files.get((split, part, stem)) for part in _PARTS]
        if None in found:
            there = next(file for file in found if file is not None)
            part = _PARTS[found.index(None)]
            raise PreparationError(
                f'{there} has no partner {stem} in {split}/{part}; restore the file, or remove those of the same name'
            )
        samples.append(_Sample(*found, out / split, stem))
    return samples


def _stands(sample: _Sample) -> bool:
    # The label last: a run that was cut short may have left it out.
    return all(is_copied(file, path) for file, path in sample.images()) and sample.label_path().exists()


def _check(sample: _Sample) -> bool:
    """Check a sample; returns whether its label is a JPEG."""
    mask, soft = read_change_label(sample.label)
    sizes = {file: decode_bytes(file.read(), str(file), _LABEL)[1] for file in (sample.first, sample.second)}
    sizes[sample.label] = mask.shape
    for file, (height, width) in sizes.items():
        if (height, width) != sizes[sample.first]:
            other = '{1} x {0}'.format(*sizes[sample.first])
            raise PreparationError(
                f'{file} has {width} x {height} pixels and {sample.first} {other}; the files of a sample must be of '
                'one size: get them again'
            )
    return soft


def read_change_label(file: SourceFile) -> tuple[np.ndarray, bool]:
    """Read a label of change.

    Returns:
        tuple: Mask (H, W) uint8 of 0 and 1, and whether it was cut out of the soft values of a JPEG.

    Raises:
        PreparationError: If it is no picture of two values.
    """
    data = file.read()
    rgb, _ = decode_bytes(data, str(file), _LABEL)
    values = rgb[..., 0]
    if not (rgb == values[..., None]).all():
        raise PreparationError(f'{file} is a picture in colour and no label of change; correct what is in its folder')
    if data.startswith(_JPEG):
        grey = ((values >= 64) & (values < 192)).mean()
        if grey > _MOST_GREY:
            raise PreparationError(
                f'{file} is grey in {grey:.0%} of its pixels and no label of change; correct what is in its folder'
            )
        return (values >= 128).astype(np.uint8), True
    present = np.unique(values).tolist()
    if set(present) <= {0, 255} or set(present) <= {0, 1}:
        return (values > 0).astype(np.uint8), False
    unknown = [value for value in present if value not in (0, 255)]
    raise PreparationError(f'{file} has pixels of the values {some(unknown)}, not only 0 and 255; correct the label')


def _write(sample: _Sample) -> None:
    mask, _ = read_change_label(sample.label)
    for file, path in sample.images():
        copy_file(file, path)
    write_png(sample.label_path(), mask)
