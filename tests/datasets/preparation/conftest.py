"""Tiny data sets in their official layouts."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from cmid_mm.datasets.preparation.colour_labels import COLOURS
from cmid_mm.datasets.preparation.isprs_layout import LAYOUTS
from cmid_mm.datasets.preparation.ucmerced import CLASSES

SIDE = 24  # of an ISPRS scene, pixels


@pytest.fixture
def contents() -> Callable[[Path], dict[str, str]]:
    """Files below a folder by name, each with a digest of its bytes."""

    def read(root: Path) -> dict[str, str]:
        files = (path for path in sorted(root.rglob('*')) if path.is_file())
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return read


@pytest.fixture
def times() -> Callable[[Path], dict[Path, int]]:
    """When each file below a folder was last written."""
    return lambda root: {path: path.stat().st_mtime_ns for path in root.rglob('*') if path.is_file()}


@pytest.fixture
def pack() -> Callable[[Path], Path]:
    """Put the contents of a folder into a zip archive beside it."""

    def write(folder: Path, name: str | None = None) -> Path:
        path = folder.parent / (name or f'{folder.name}.zip')
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob('*')):
                archive.write(file, file.relative_to(folder))
        return path

    return write


@pytest.fixture
def ucmerced(tmp_path: Path) -> Path:
    """``UCMerced_LandUse/Images`` with 5 images a class."""
    root = tmp_path / 'source' / 'UCMerced_LandUse'
    generator = np.random.default_rng(0)
    for name in CLASSES:
        for number in range(5):
            path = root / 'Images' / name / f'{name}{number:02d}.tif'
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, generator.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    (root / 'readme.txt').write_text('Land use.')
    return root


def scene(tile: int) -> tuple[np.ndarray, np.ndarray]:
    """An image and the classes of its pixels."""
    generator = np.random.default_rng(tile)
    image = generator.integers(0, 256, (SIDE, SIDE + 5, 3), dtype=np.uint8)
    return image, generator.integers(0, len(COLOURS), image.shape[:2], dtype=np.uint8)


@pytest.fixture
def draw_isprs(tmp_path: Path) -> Callable[[str], tuple[Path, dict]]:
    """Write a whole ISPRS data set; returns its folder and ``tile -> (image, classes)``."""

    def draw(name: str) -> tuple[Path, dict]:
        root = tmp_path / f'official {name}'
        folders = {
            'potsdam': ('2_Ortho_RGB', '5_Labels_all', 'top_potsdam_{}_RGB.tif', 'top_potsdam_{}_label.tif'),
            'vaihingen': ('top', 'gts_for_participants', *['top_mosaic_09cm_{}.tif'] * 2),
        }[name]
        drawn = {}
        for number, tile in enumerate(LAYOUTS[name].tiles):
            drawn[tile] = image, classes = scene(number)
            pictures = image, np.array(COLOURS, np.uint8)[classes]
            for folder, form, picture in zip(folders[:2], folders[2:], pictures, strict=True):
                path = root / folder / form.format(tile)
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, picture, photometric='rgb')
        return root, drawn

    return draw


@pytest.fixture
def cdd(tmp_path: Path) -> Path:
    """CDD with two pairs a split, all files JPEG, and the drawn pairs that its archive holds too."""
    root = tmp_path / 'source' / 'ChangeDetectionDataset'
    generator = np.random.default_rng(0)
    for subset in ('Real/subset', 'Model/with_shift'):
        for split in ('train', 'val', 'test'):
            for number in range(2):
                for part in ('A', 'B', 'OUT'):
                    path = root / subset / split / part / f'{number:05d}.jpg'
                    path.parent.mkdir(parents=True, exist_ok=True)
                    picture = np.repeat(generator.integers(0, 256, (4, 4), dtype=np.uint8), 8, 0).repeat(8, 1)
                    cv2.imwrite(str(path), (picture > 128).astype(np.uint8) * 255 if part == 'OUT' else picture)
    return root


@pytest.fixture
def dota(tmp_path: Path) -> Path:
    """DOTA with one image of 1300 x 900 pixels a split, a harbour in each of train and val."""
    root = tmp_path / 'source' / 'DOTA'
    generator = np.random.default_rng(0)
    for number, split in enumerate(('train', 'val', 'test')):
        folder = root / split
        (folder / 'images').mkdir(parents=True)
        coarse = generator.integers(0, 256, (9, 13, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (1300, 900), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(folder / 'images' / f'P000{number}.png'), image)
        if split != 'test':
            (folder / 'labelTxt').mkdir()
            (folder / 'labelTxt' / f'P000{number}.txt').write_text(
                'imagesource:GoogleEarth\ngsd:0.15\n'
                '1200 100 1250 100 1250 140 1200 140 harbor 0\n'
                '300  500 340 500 340 520 300 520 ship 1 \n'
            )
    return root
