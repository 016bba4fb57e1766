"""DOTA-v1.0 -> tiles with their boxes, cut by mmrotate's own tool."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from cmid_mm.datasets.decoding import naming_errors

from .dota_labels import check_label
from .errors import PreparationError
from .mmrotate_split import Windows, split_images
from .outcome import Outcome
from .parallel import run
from .record import Record
from .sources import SourceFile, by_key, list_files, some
from .writing import is_copied, link_or_copy, write_text

SINGLE_SCALE = Windows(size=1024, gap=200, rates=(1.0,))
MULTI_SCALE = Windows(size=1024, gap=500, rates=(0.5, 1.0, 1.5))
PARTS = {'trainval': ('train', 'val'), 'test': ('test',)}
_IMAGE = re.compile(r'^(?:.*/)?(train|val|test)/(?:[^/]+/)*?images/(?:[^/]+/)*([^/]+)\.(?:png|jpg|JPG)$')
# Beside labelTxt, DOTA ships upright boxes (..._reclabelTxt) and the labels of version 1.5.
_LABEL = re.compile(r'^(?:.*/)?(train|val)/(?:[^/]+/)*?labelTxt(?:-v1\.0)?/(?:[^/]+/)*([^/]+)\.txt$')
_READERS = {'.png': PngImageFile, '.jpg': JpegImageFile}
_JPEG_END = b'\xff\xd9'


class _Picture(NamedTuple):
    split: str
    stem: str
    image: SourceFile
    label: SourceFile | None  # of test images there is none


def prepare_dota(
    sources: Sequence[str | Path],
    out: str | Path | None = None,
    multi_scale: bool = False,
    allow_missing: bool = False,
    workers: int = 1,
) -> Outcome:
    """Write ``out/{trainval,test}/{images,labelTxt}``, tiles called ``P0001__1024__0___824.png``.

    Args:
        sources: The folder that holds ``{train,val,test}/{images,labelTxt}``, unpacked or as archives, or these.
        out: Folder to write to; ``data/dota``, or ``data/dota_ms`` for several scales.
        multi_scale: Cut at three scales (rates 0.5, 1 and 1.5, overlap 500) instead of one (overlap 200).
        allow_missing: Go on without a split, or with labels that have no image.
        workers: Processes, each of which holds one image.

    Raises:
        PreparationError: If a split, an image or a label file is missing, a label is wrong, or ``out`` holds tiles of
            other settings.
        UnreadableImageError: If an image is damaged.
    """
    windows = MULTI_SCALE if multi_scale else SINGLE_SCALE
    root = Path(out or ('data/dota_ms' if multi_scale else 'data/dota'))
    record = Record(root, windows._asdict() | {'rates': list(windows.rates)}, [root / part for part in PARTS])
    pictures, notes = _find(list_files(sources), ', '.join(map(str, sources)), allow_missing)
    parts = {part: [picture for picture in pictures if picture.split in splits] for part, splits in PARTS.items()}
    parts = {part: members for part, members in parts.items() if members}
    for part, members in parts.items():
        record.check_same(part, _source_facts(members))
    todo = [part for part in parts if not _stands(root / part, parts[part], record.parts.get(part))]
    texts = run(_check, [picture for part in todo for picture in parts[part]], workers, 'checking images and labels')
    labels = iter(texts)
    work = root / '.work'
    if todo:
        record.save()
    for part in todo:
        members = parts[part]
        folders = _stage(work, members, [next(labels) for _ in members], workers)
        made = work / 'tiles'
        split_images(folders, part != 'test', made, windows, len(members), workers, f'cutting {part}')
        tiles = check_tiles(made, [picture.stem for picture in members], windows)
        shutil.rmtree(root / part, ignore_errors=True)
        os.replace(made, root / part)
        record.parts[part] = _source_facts(members) | {'tiles': tiles}
        record.save()
        shutil.rmtree(work)
    notes += [f'{part}: {record.parts[part]["tiles"]:,} tiles of {len(parts[part]):,} images' for part in parts]
    return Outcome(root, len(todo), len(parts) - len(todo), notes)


def _find(files: Sequence[SourceFile], where: str, allow_missing: bool) -> tuple[list[_Picture], list[str]]:
    images = by_key(files, partial(_key, pattern=_IMAGE))
    labels = by_key(files, partial(_key, pattern=_LABEL))
    if not images:
        raise PreparationError(f'{where} holds no {{train,val,test}}/images of DOTA; give the folder that holds these')
    notes = []
    absent = [split for split in ('train', 'val', 'test') if not any(key[0] == split for key in images)]
    unlabelled = [file for key, file in images.items() if key[0] != 'test' and key not in labels]
    stray = [file for key, file in labels.items() if key not in images]
    if unlabelled:
        raise PreparationError(
            f'{unlabelled[0]} has no label file in labelTxt, nor have {len(unlabelled) - 1} more images; add the labels'
        )
    for message in (
        absent and f'{where} has no images of {", ".join(absent)}',
        stray and f'{stray[0]} has no image, nor have {len(stray) - 1} more label files',
    ):
        if message and not allow_missing:
            raise PreparationError(f'{message}; add them, or go on with --allow-missing')
        if message:
            notes.append(message)
    twice = [stem for stem, count in Counter(stem for split, stem in images if split != 'test').items() if count > 1]
    if twice:
        raise PreparationError(f'{where} has {some(twice)} in train and in val; remove the wrong copies')
    return [_Picture(*key, file, labels.get(key)) for key, file in images.items()], notes


def _key(file: SourceFile, pattern: re.Pattern) -> tuple[str, str] | None:
    match = pattern.match(file.location)
    return match and (match[1], match[2])


def _source_facts(pictures: Sequence[_Picture]) -> dict:
    return {'images': len(pictures), 'bytes': sum(picture.image.size for picture in pictures)}


def _check(picture: _Picture) -> str:
    """Check an image without decoding it, and its labels; returns the text of these."""
    image = picture.image
    with image.open() as file, naming_errors(str(image)):
        read = _READERS[Path(image.name).suffix.lower()](file)
        width, height = read.size
        # OpenCV, which cuts, shows what is missing or damaged as black or grey. In archives a checksum tells.
        if not image.zipped and isinstance(read, PngImageFile):
            read.verify()
        elif not image.zipped:
            file.seek(-min(image.size, 64), os.SEEK_END)
            if _JPEG_END not in file.read():
                raise ValueError('the file is cut short')
    return '' if picture.label is None else check_label(picture.label, width, height)[0]


def _stage(work: Path, pictures: Sequence[_Picture], texts: Sequence[str], workers: int) -> list[Path]:
    """Lay out what the splitting reads: folders ``images`` (links, or unpacked) and ``labelTxt`` of each split."""
    shutil.rmtree(work / 'tiles', ignore_errors=True)
    for picture, text in zip(pictures, texts, strict=True):
        if picture.label is not None:
            write_text(work / picture.split / 'labelTxt' / f'{picture.stem}.txt', text)
    run(partial(_stage_image, work=work), pictures, workers, 'unpacking or linking images')
    return [work / split for split in dict.fromkeys(picture.split for picture in pictures)]


def _stage_image(picture: _Picture, work: Path) -> None:
    image = picture.image
    path = work / picture.split / 'images' / f'{picture.stem}{Path(image.name).suffix}'
    if not is_copied(image, path):
        link_or_copy(image, path)


def _stands(folder: Path, pictures: Sequence[_Picture], facts: dict | None) -> bool:
    """Whether the tiles of a part are complete."""
    if facts is None or 'tiles' not in facts:
        return False
    images, labels = ({path.stem for path in (folder / name).glob('*')} for name in ('images', 'labelTxt'))
    return images == labels and len(images) == facts['tiles']


def check_tiles(folder: Path, stems: Sequence[str], windows: Windows) -> int:
    """Check what the splitting has written.

    Args:
        folder: With ``images`` and ``labelTxt``.
        stems: Names of the images that were split.
        windows: Of the splitting.

    Returns:
        int: Number of tiles.

    Raises:
        PreparationError: If a tile lacks its label file or the reverse, an image has no tile, or a size is wrong.
    """
    images, labels = ({path.stem for path in (folder / name).iterdir()} for name in ('images', 'labelTxt'))
    if images != labels:
        raise PreparationError(
            f'the tiles {some(sorted(images ^ labels))} in {folder} lack image or label; run it again'
        )
    cut = {name.rsplit('___', 1)[0].rsplit('__', 2)[0] for name in images}
    without = sorted(set(stems) - cut)
    if without:
        raise PreparationError(
            f'{some(without)} came out without tiles in {folder}; check these images and run it again'
        )
    sizes = {int(windows.size / rate) for rate in windows.rates}
    for name in images:
        with PngImageFile(folder / 'images' / f'{name}.png') as image:
            if image.width != image.height or image.width not in sizes:
                raise PreparationError(f'{folder}/images/{name}.png has a side of {image.size}; run it again')
    return len(images)
