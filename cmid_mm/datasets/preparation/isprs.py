"""ISPRS Potsdam and Vaihingen: scenes and colour labels -> tiles and masks."""

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cmid_mm.datasets.decoding import naming_errors
from cmid_mm.datasets.tiff import read_tiff

from .colour_labels import encode_colours, refuse_unknown
from .errors import PreparationError
from .isprs_layout import BANDS, LAYOUTS, IsprsLayout
from .outcome import Outcome
from .parallel import run
from .record import Record
from .sources import SourceFile, by_key, list_files, some
from .tiles import check_tiling, cut, tile_name, windows
from .writing import write_png

_MOST_BYTES = 10**9  # nine times what the largest official scene, 6000 x 6000 of Potsdam, takes


class _Scene(NamedTuple):
    name: str
    image: SourceFile
    label: SourceFile | None
    image_folder: Path
    label_folder: Path | None


class _Facts(NamedTuple):
    height: int
    width: int
    unknown: int  # pixels of no class


def prepare_isprs(
    name: str,
    sources: Sequence[str | Path],
    out: str | Path | None = None,
    size: int = 512,
    stride: int = 512,
    bands: str = 'RGB',
    no_boundary: bool = False,
    unlabelled: bool = False,
    unknown_ignored: bool = False,
    allow_missing: bool = False,
    workers: int = 1,
) -> Outcome:
    """Write ``out/{img_dir,ann_dir}/{train,val}/<tile>_x0_y0_x1_y1.png``, or ``out/unlabelled/`` of all images.

    Masks are in mmsegmentation's coding: 0 ignored, 1 impervious surface, 2 building, 3 low vegetation, 4 tree, 5 car,
    6 clutter. The last window of a row or column is moved inside: every pixel is in a tile, and none is padding.

    Args:
        name: ``'potsdam'`` or ``'vaihingen'``.
        sources: The official archives, or folders of them or of their files.
        out: Folder to write to; ``data/<name>`` by default.
        size: Side of a tile, pixels.
        stride: From one tile to the next, pixels.
        bands: Which of Potsdam's images: ``'RGB'``, ``'IRRG'``, or the first three bands of ``'RGBIR'``.
        no_boundary: Take the labels whose boundaries are eroded (black, so ignored).
        unlabelled: Write the images of all tiles for pretraining, and no masks.
        unknown_ignored: Let pixels of unknown colours be 0 (ignored) instead of stopping.
        allow_missing: Go on without tiles whose image or label is not there.
        workers: Processes, each of which holds one scene.

    Raises:
        PreparationError: If files are missing or contradict each other, a label has an unknown colour, or ``out``
            holds tiles of other settings.
        UnreadableImageError: If a file is damaged.
    """
    check_tiling(size, stride)
    if name not in LAYOUTS or bands not in BANDS:
        raise PreparationError(f'{name} with bands {bands}: give one of {", ".join(LAYOUTS)} and of {", ".join(BANDS)}')
    layout = LAYOUTS[name]
    root = Path(out or f'data/{name}')
    folder = root / 'unlabelled' if unlabelled else root
    settings = {'data': name, 'size': size, 'stride': stride, 'bands': bands if name == 'potsdam' else 'IRRG'}
    if not unlabelled:
        settings |= {'no_boundary': no_boundary, 'unknown_ignored': unknown_ignored}
    record = Record(folder, settings, [folder] if unlabelled else [root / 'img_dir', root / 'ann_dir'])
    labels = None if unlabelled else 'eroded' if no_boundary else 'labels'
    scenes, notes = _find(layout, list_files(sources), root, bands, labels, allow_missing)
    for scene in scenes:
        record.check_same(scene.name, _source_facts(scene))
    todo = [scene for scene in scenes if not _stands(scene, record, size, stride)]
    check = partial(_check, size=size, unknown_ignored=unknown_ignored)
    for scene, facts in zip(todo, run(check, todo, workers, 'checking scenes'), strict=True):
        record.parts[scene.name] = _source_facts(scene) | facts._asdict()
    if todo:
        record.save()
    run(partial(_write, size=size, stride=stride), todo, workers, 'cutting scenes')
    unknown = {scene.name: record.parts[scene.name]['unknown'] for scene in scenes}
    for tile, count in unknown.items():
        if count:
            notes.append(f'{tile}: {count:,} pixels of unknown colours are ignored')
    return Outcome(folder, len(todo), len(scenes) - len(todo), notes)


def _find(
    layout: IsprsLayout,
    files: Sequence[SourceFile],
    root: Path,
    bands: str,
    labels_in: str | None,
    allow_missing: bool,
) -> tuple[list[_Scene], list[str]]:
    """The scenes of which all files are there, and notes on the others; ``labels_in`` is a field of the layout."""
    image_pattern = layout.images.replace('{bands}', bands)
    found = {'images': by_key(files, lambda file: layout.tile_of(file, image_pattern))}
    if labels_in:
        label_pattern = getattr(layout, labels_in)
        found[labels_in] = by_key(files, lambda file: layout.tile_of(file, label_pattern))
    where = some(sorted({str(file.container) for file in files}))
    notes = []
    for what, there in found.items():
        lacking = [tile for tile in layout.tiles if tile not in there]
        if not lacking:
            continue
        message = (
            f'no {"image" if what == "images" else "label"} of the tiles {some(lacking)} of {layout.name} in {where}'
        )
        if not allow_missing:
            raise PreparationError(
                f'{message} (looked for {layout.official[what]}); add them, or go on with --allow-missing'
            )
        notes.append(message)
    images, labels = found['images'], found.get(labels_in, {})
    scenes = []
    for tile, split in layout.tiles.items():
        if tile in images and not labels_in:
            scenes.append(_Scene(tile, images[tile], None, root / 'unlabelled', None))
        elif tile in images and tile in labels:
            folders = root / 'img_dir' / split, root / 'ann_dir' / split
            scenes.append(_Scene(tile, images[tile], labels[tile], *folders))
    if not scenes:
        raise PreparationError(f'{where} holds no whole tile of {layout.name}; give its official archives')
    return scenes, notes


def _source_facts(scene: _Scene) -> dict:
    facts = {'image_bytes': scene.image.size}
    return facts if scene.label is None else facts | {'label_bytes': scene.label.size}


def _stands(scene: _Scene, record: Record, size: int, stride: int) -> bool:
    if scene.name not in record.parts:
        return False
    facts = record.parts[scene.name]
    return all(
        path.exists()
        for x, y in windows(facts['height'], facts['width'], size, stride)
        for path in _targets(scene, x, y, size)
    )


def _targets(scene: _Scene, x: int, y: int, size: int) -> list[Path]:
    """Where a window's image and mask are written."""
    folders = [scene.image_folder] + ([] if scene.label is None else [scene.label_folder])
    return [folder / f'{tile_name(scene.name, x, y, size)}.png' for folder in folders]


def _check(scene: _Scene, size: int, unknown_ignored: bool) -> _Facts:
    height, width, _ = read_scene(scene.image).shape
    if min(height, width) < size:
        raise PreparationError(
            f'{scene.image} has {width} x {height} pixels, less than a tile of {size}; get it again or give a smaller '
            '--size'
        )
    if scene.label is None:
        return _Facts(height, width, 0)
    label = read_scene(scene.label)
    if label.shape[:2] != (height, width):
        raise PreparationError(
            f'{scene.label} has {label.shape[1]} x {label.shape[0]} pixels and {scene.image} {width} x {height}; get '
            'both from the official archives again'
        )
    _, unknown = encode_colours(label)
    if unknown and not unknown_ignored:
        refuse_unknown(label, str(scene.label), 'correct the label, or ignore such pixels by --unknown-colours-ignored')
    return _Facts(height, width, unknown)


def _write(scene: _Scene, size: int, stride: int) -> None:
    image = read_scene(scene.image)
    pictures = [image] if scene.label is None else [image, encode_colours(read_scene(scene.label))[0]]
    for x, y in windows(*image.shape[:2], size, stride):
        for path, picture in zip(_targets(scene, x, y, size), pictures, strict=True):
            if not path.exists():
                write_png(path, cut(picture, x, y, size))


def read_scene(file: SourceFile) -> np.ndarray:
    """First three bands of an 8-bit TIFF, (H, W, 3) uint8.

    Raises:
        PreparationError: If the file has other than 8 bits a band.
        UnreadableImageError: If it is damaged or has less than three bands.
    """
    data = BytesIO(file.read())
    with naming_errors(str(file)):
        pixels, *_ = read_tiff(data, lambda height, width: 1, _three_bands, _bound_memory)
    if pixels.dtype != np.uint8:
        raise PreparationError(f'{file} holds {pixels.dtype} and should hold uint8; get it from the official archive')
    return pixels


def _bound_memory(size: int) -> None:
    if size > _MOST_BYTES:
        raise ValueError(f'its pixels take {size} bytes of memory, and a scene of at most {_MOST_BYTES} was expected')


def _three_bands(count: int, alpha: bool) -> list[int]:
    if count < 3:
        raise ValueError(f'it has {count} band{"s" * (count > 1)} where three are needed')
    return [0, 1, 2]
