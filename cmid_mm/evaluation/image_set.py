"""The images of a folder, small enough to hold, with the classes and the split that scores need."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cmid_mm.datasets import UnlabelledImages
from cmid_mm.datasets.packed import is_pack

from .images import read_images
from .labelled import labels_from_folders, split_by_class

Bar = Callable[[str, int], AbstractContextManager]


@dataclass(frozen=True)
class ImageSet:
    """Images of a folder, squeezed to squares.

    Attributes:
        root (Path): The folder.
        places (np.ndarray): Positions ``(n,)`` in ``UnlabelledImages(root)``.
        pixels (np.ndarray): ``(n, size, size, 3)`` uint8 RGB.
        labels (np.ndarray, optional): ``(n,)`` int64, -1 = no class; None if there are fewer than 2 classes.
        classes (list[str]): Names of the classes.
        train (np.ndarray): Rows to learn from: all but those of ``test``. Without classes all.
        test (np.ndarray): Rows held back, a fifth of every class. Without classes all.
        total (int): Files in the folder.
        problems (list[str]): One sentence for each file that could not be read.
        names (list[str]): Path ``(n,)`` of each image below the folder.
    """

    root: Path
    places: np.ndarray
    pixels: np.ndarray
    labels: np.ndarray | None
    classes: list[str]
    train: np.ndarray
    test: np.ndarray
    total: int
    problems: list[str]
    names: list[str]

    @property
    def scored(self) -> np.ndarray:
        """Rows of ``train`` that have a class."""
        return self.train[self.labels[self.train] >= 0]

    def describe(self) -> str:
        """Say in a phrase what is here."""
        text = f'{len(self.places):,} images in {self.root}'
        if self.labels is not None:
            text += f', {len(self.classes)} classes, {len(self.train):,} to learn from and {len(self.test):,} held back'
        if self.total > len(self.places) + len(self.problems):
            text += f'; drawn from {self.total:,} files at random'
        if self.problems:
            text += f'; {len(self.problems)} unreadable files left out, the first: {self.problems[0]}'
        return text


def read_image_set(
    root: str | Path, size: int, cache: str | Path, bar: Bar, fewest: int = 32, most: int = 5000, seed: int = 0
) -> ImageSet:
    """Find, read and split the images of a folder.

    Args:
        root (str | Path): Folder of JPEG, PNG or TIFF files; see ``labels_from_folders`` for what names a class.
        size (int): Side in pixels.
        cache (str | Path): Where the index of the folder is kept.
        bar (Callable): Called as ``ProgressBar`` with a name and the number of files.
        fewest (int): Readable images that there must be.
        most (int): Of more files, so many are drawn at random.
        seed (int): Draws them and the split.

    Raises:
        ValueError: No such folder, or fewer than ``fewest`` readable images.
    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f'{root} is no folder; give a folder of JPEG, PNG or TIFF images')
    if is_pack(root):
        raise ValueError(f'{root} is a pack, made for pretraining; give the folder of its images')
    try:
        index = UnlabelledImages(str(root), cache=str(cache)).index
    except FileNotFoundError as error:
        raise ValueError(str(error)) from error
    places = np.sort(np.random.default_rng(seed).permutation(len(index))[:most])
    with bar('reading images', len(places)) as shown:
        pixels, kept, problems = read_images([index[int(place)] for place in places], size, shown.advance)
    places = places[kept]
    if len(places) < fewest:
        raise ValueError(f'{root} holds {len(places)} readable images; give a folder with {fewest} or more')
    names = [index.relative(int(place)) for place in places]
    found = labels_from_folders(names)
    train = test = np.arange(len(places))
    if found:
        test = split_by_class(found[0], seed=seed)[1]
        train = np.setdiff1d(train, test)
    labels, classes = found or (None, [])
    return ImageSet(root, places, pixels, labels, classes, train, test, len(index), problems, names)
