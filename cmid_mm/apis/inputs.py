"""What an inferencer is given (paths, folders, lists, arrays, pairs of them) -> scenes of BGR pixels."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from cmid_mm.datasets.decoding import Decoding, decode_image
from cmid_mm.datasets.index_cache import open_index
from cmid_mm.datasets.value_range import to_uint8

from .windows import Window

Image = str | os.PathLike | np.ndarray
_NAMED = 3  # how many names an error lists


@dataclass(frozen=True)
class Source:
    """One input: an image, or one image a date.

    Args:
        name (str): What its output files are called, with sub-folders and without an ending.
        images (tuple): Paths or arrays, one a date.
    """

    name: str
    images: tuple[str | np.ndarray, ...]

    @property
    def path(self) -> str | tuple[str, ...] | None:
        """The path, a tuple of two for a pair, or None for arrays."""
        if any(isinstance(image, np.ndarray) for image in self.images):
            return None
        return self.images[0] if len(self.images) == 1 else self.images


@dataclass(frozen=True)
class Scene:
    """The pixels of one input.

    Args:
        source (Source): Where they come from.
        dates (tuple[np.ndarray, ...]): (H, W, 3) uint8 of each date, BGR.
    """

    source: Source
    dates: tuple[np.ndarray, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.dates[0].shape[:2]

    def crop(self, window: Window) -> np.ndarray:
        """Pixels of a window, (h, w, 3 x dates), as a copy."""
        rows = slice(window.top, window.top + window.height)
        columns = slice(window.left, window.left + window.width)
        return np.concatenate([date[rows, columns] for date in self.dates], axis=2)


def find_images(inputs: Image | Sequence[Image]) -> list[Source]:
    """List the images of a path, a folder (at any depth, sorted), an array, or a sequence of these.

    A file of a folder is named by its path below the folder, another file by its own name, an array by its position;
    a name that is taken gets ``_2``, ``_3`` and so on.

    Raises:
        FileNotFoundError: If a path does not exist or a folder has no image.
        TypeError: If an input is none of these.
        ValueError: If there is none.
    """
    several = inputs if isinstance(inputs, list | tuple) else [inputs]
    found = [pair for position, item in enumerate(several) for pair in _expand(item, position)]
    if not found:
        raise ValueError('the list of inputs is empty; give at least one image')
    names, sources = set(), []
    for name, image in found:
        unique, number = name, 1
        while unique in names:
            number += 1
            unique = f'{name}_{number}'
        names.add(unique)
        sources.append(Source(unique, (image,)))
    return sources


def find_pairs(inputs: tuple[Image | Sequence[Image], Image | Sequence[Image]]) -> list[Source]:
    """List pairs of images of two dates.

    Two folders are matched by the paths below them, without endings; everything else by position.

    Args:
        inputs (tuple): What came before and what came after, each as in :func:`find_images`.

    Raises:
        ValueError: If there are not two dates, or an image has no counterpart.
    """
    if not isinstance(inputs, list | tuple) or len(inputs) != 2:
        raise ValueError('change needs two dates: give (before, after), each an image, a folder or a list')
    before, after = (find_images(date) for date in inputs)
    if all(_is_folder(date) for date in inputs):
        later = {source.name: source for source in after}
        lone = sorted({source.name for source in before} ^ set(later))
        if lone:
            raise ValueError(
                f'{len(lone)} images of {inputs[0]} and {inputs[1]} have no counterpart of the same name '
                f'({_some(lone)}); give each date the same names'
            )
        after = [later[source.name] for source in before]
    elif len(before) != len(after):
        raise ValueError(f'there are {len(before)} images of the first date and {len(after)} of the second; pair them')
    return [Source(first.name, first.images + second.images) for first, second in zip(before, after, strict=True)]


def read_scene(source: Source, decoding: Decoding) -> Scene:
    """Decode an input.

    Files come by :func:`~cmid_mm.datasets.decoding.decode_image`; arrays are BGR, or grey, and pass through the same
    :func:`~cmid_mm.datasets.value_range.to_uint8`.

    Raises:
        UnreadableImageError: If a file is damaged or no image.
        BandError: If a file lacks the bands asked for.
        ValueError: If an array has another shape, or the dates of a pair differ in size.
    """
    dates = tuple(_read(image, source.name, decoding) for image in source.images)
    if len({date.shape for date in dates}) > 1:
        sizes = ' and '.join(
            f'{_label(i, source.name)} of {d.shape[1]} x {d.shape[0]}'
            for i, d in zip(source.images, dates, strict=True)
        )
        raise ValueError(f'the two dates differ in size, {sizes} pixels; register them to one grid first')
    return Scene(source, dates)


def _read(image: str | np.ndarray, name: str, decoding: Decoding) -> np.ndarray:
    if not isinstance(image, np.ndarray):
        return decode_image(image, decoding)[0][..., ::-1]
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(
            f'the array {name} has the shape {image.shape}; give (H, W, 3) of BGR pixels, or (H, W) of grey'
        )
    return to_uint8(image, decoding.value_range)


def _expand(item: Image, position: int) -> list[tuple[str, str | np.ndarray]]:
    if isinstance(item, np.ndarray):
        return [(f'array_{position}', item)]
    if not isinstance(item, str | os.PathLike):
        raise TypeError(f'input {position} is a {type(item).__name__}; give paths, folders or NumPy arrays')
    path = Path(item)
    if path.is_dir():
        # An index of its own, thrown away: the cached ones belong to data sets.
        with tempfile.TemporaryDirectory() as cache:
            index = open_index([str(path)], cache=cache)
            below = [index.relative(number) for number in range(len(index))]
        return [(PurePath(name).with_suffix('').as_posix(), str(path / name)) for name in below]
    if not path.is_file():
        raise FileNotFoundError(f'{path} is neither an image file nor a folder; check the path')
    return [(path.stem, str(path))]


def _is_folder(item: object) -> bool:
    return isinstance(item, str | os.PathLike) and Path(item).is_dir()


def _label(image: str | np.ndarray, name: str) -> str:
    return f'the array {name}' if isinstance(image, np.ndarray) else str(image)


def _some(names: Sequence[str]) -> str:
    return ', '.join(names[:_NAMED]) + (', ...' if len(names) > _NAMED else '')
