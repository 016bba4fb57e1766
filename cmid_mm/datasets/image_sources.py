"""Folders and packs as one numbered row of images."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import groupby

import numpy as np
from mmengine.dist import all_gather_object, get_dist_info

from .file_index import FileIndex
from .index_cache import EXTENSIONS, open_index
from .packed import Pack, is_pack


class JoinedImages:
    """Several :class:`FileIndex` and :class:`Pack` one after another, used as one of them is.

    Args:
        parts (Sequence): In order.
    """

    def __init__(self, parts: Sequence[FileIndex | Pack]) -> None:
        self.parts = list(parts)
        self._starts = np.cumsum([0, *map(len, self.parts)]).tolist()

    def __len__(self) -> int:
        return self._starts[-1]

    def _find(self, position: int) -> tuple[FileIndex | Pack, int]:
        number = bisect_right(self._starts, position) - 1
        return self.parts[number], position - self._starts[number]

    def __getitem__(self, position: int) -> str:
        """Path of one image."""
        part, position = self._find(position)
        return part[position]

    def relative(self, position: int) -> str:
        """Path of one image below its root."""
        part, position = self._find(position)
        return part.relative(position)

    def stored(self, position: int) -> bytes | None:
        """Bytes of one image of a pack, None for a file."""
        part, position = self._find(position)
        return part.stored(position)

    @cached_property
    def folders(self) -> list[str]:
        """Folders of all parts, below their roots."""
        return [folder for part in self.parts for folder in part.folders]

    @cached_property
    def folder_ids(self) -> np.ndarray:
        """Number of each image's folder, (len(self),) uint32."""
        starts = np.cumsum([0, *(len(part.folders) for part in self.parts)], dtype=np.uint32)
        return np.concatenate([part.folder_ids + start for part, start in zip(self.parts, starts, strict=False)])

    def __reduce__(self) -> tuple:
        return JoinedImages, (self.parts,)


def open_images(
    roots: Sequence[str],
    list_files: Sequence[str] | None,
    extensions: Sequence[str],
    recursive: bool,
    cache: str | None,
) -> FileIndex | Pack | JoinedImages:
    """Open folders and packs, in the order given.

    Args:
        roots (Sequence[str]): Folders of images, or packs.
        list_files, extensions, recursive, cache: Of folders, see :func:`~cmid_mm.datasets.index_cache.open_index`.

    Raises:
        PackError: If a pack cannot be used.
        ValueError: If images are to be chosen by name and a root is a pack.
        RuntimeError: If processes find different packs.
        OSError: See :func:`~cmid_mm.datasets.index_cache.open_index`, for that and for more.
    """
    packed = _same_everywhere([is_pack(root) for root in roots], roots)
    if not any(packed):
        return open_index(roots, list_files, extensions, recursive, cache)
    if list_files is not None or set(extensions) != set(EXTENSIONS) or not recursive:
        raise ValueError(
            f'{roots[packed.index(True)]} is a pack, whose images were chosen when it was made; leave list_file, '
            'extensions and recursive of UnlabelledImages out, or give the folder'
        )
    parts = []
    for is_packed, group in groupby(zip(packed, roots, strict=True), lambda pair: pair[0]):
        names = [root for _, root in group]
        parts += map(_open_pack, names) if is_packed else [open_index(names, None, extensions, recursive, cache)]
    return parts[0] if len(parts) == 1 else JoinedImages(parts)


def packs_of(images: FileIndex | Pack | JoinedImages) -> list[Pack]:
    """The packs among what :func:`open_images` has opened."""
    return [part for part in getattr(images, 'parts', [images]) if isinstance(part, Pack)]


def _open_pack(path: str) -> Pack:
    """Open a pack in all processes of a distributed run, or in none."""
    pack, trouble = None, None
    try:
        pack = Pack(path)
    except (OSError, ValueError) as error:
        trouble = error
    for other in _gather(trouble):
        if other is not None:
            raise other
    _same_everywhere(pack.digest, [path])
    return pack


def _same_everywhere(value: object, roots: Sequence[str]) -> object:
    if any(other != value for other in _gather(value)):
        raise RuntimeError(
            f'the processes see different packs under {", ".join(roots)}; make them the same on all machines'
        )
    return value


def _gather(value: object) -> list:
    return [value] if get_dist_info()[1] == 1 else all_gather_object(value)
