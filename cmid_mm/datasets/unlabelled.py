"""Images without labels: folders, list files, packs, several roots."""

import logging
import math
import os
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmpretrain.registry import DATASETS, TRANSFORMS
from torch.utils.data import Dataset

from .decoding import UnreadableImageError
from .image_sources import open_images, packs_of
from .index_cache import EXTENSIONS
from .names import printable
from .seeding import SeededIndex, seeded
from .transforms.loading import LoadAerialImage

_GOLDEN = (math.sqrt(5) - 1) / 2


@DATASETS.register_module()
class UnlabelledImages(Dataset):
    """Image files below one or several folders, or those that list files name.

    The paths lie in a memory-mapped index that all workers share (see
    :mod:`~cmid_mm.datasets.file_index`), built once and kept until a folder changes
    (:mod:`~cmid_mm.datasets.index_cache` says what counts as an image and in which order they come).
    A folder that ``tools/datasets/pack.py`` has written is read as what was packed into it, in the same
    order: its samples carry the bytes of the image as ``img_bytes``, for ``LoadAerialImage``.

    An index that is a :class:`~cmid_mm.datasets.seeding.SeededIndex`, as ``EpochSampler`` gives, runs
    the pipeline under its seed: the sample depends on index and seed alone, not on process or
    worker. A plain index draws from the generators of the process.

    A file that cannot be read, or lacks the bands asked for, is replaced by another image of the set, the same
    one each time, and named in the metainfo ``unreadable`` of the sample's ``data_samples``, a list of
    ``(path, reason)``; ``UnreadableImagesHook`` counts and lists them.

    Args:
        data_root (str | Sequence[str]): Folder of the images, or a pack of them, or several.
        pipeline (Sequence): Transforms, the first of which loads ``img_path``. Defaults to none.
        list_file (str | Sequence[str], optional): Text file with a path below ``data_root`` a line;
            with several roots one for each. Defaults to None: all images in the folders.
        extensions (Sequence[str]): Endings of image files, upper or lower case.
        recursive (bool): Whether to search sub-folders, at any depth. Defaults to True.
        with_labels (bool): Whether to label images by the first-level sub-folder that they lie in,
            for scoring. Defaults to False.
        subset (dict, optional): ``dict(fraction=0.8, seed=0)`` keeps a random part that is the same
            on every machine; ``dict(fraction=0.8, seed=0, rest=True)`` keeps the images that it
            leaves. Defaults to None: all.
        indices (int | Sequence[int], optional): Keep the first so many, or these, of what ``subset``
            has left. Defaults to None: all.
        cache (str, optional): Folder of the index. Defaults to None:
            ``$XDG_CACHE_HOME/cmid_mm/index``.
        metainfo (dict, optional): More entries of :attr:`metainfo`. Defaults to None.

    Attributes:
        max_unreadable (int): So many unreadable images in a row stop the run.

    Raises:
        FileNotFoundError: If a folder or list file is missing, or there is no image.
        ValueError: If an argument or a line of a list file is wrong, or a pack cannot be used.
    """

    max_unreadable = 100

    def __init__(
        self,
        data_root: str | Sequence[str],
        pipeline: Sequence = (),
        list_file: str | Sequence[str] | None = None,
        extensions: Sequence[str] = EXTENSIONS,
        recursive: bool = True,
        with_labels: bool = False,
        subset: dict | None = None,
        indices: int | Sequence[int] | None = None,
        cache: str | None = None,
        metainfo: dict | None = None,
    ) -> None:
        roots = _several(data_root)
        lists = None if list_file is None else _several(list_file)
        if not roots:
            raise ValueError('data_root of UnlabelledImages names no folder; give at least one')
        if lists is not None and len(lists) != len(roots):
            raise ValueError(
                f'list_file of UnlabelledImages names {len(lists)} files and data_root '
                f'{len(roots)} folders; give one list for each folder'
            )
        endings = [extension.lower() for extension in _several(extensions)]
        self.data_root = roots
        self.index = open_images(roots, lists, endings, recursive, cache)
        self.with_labels = with_labels
        self._metainfo = dict(metainfo or {})
        if with_labels:
            self._folder_labels = self._label_folders()
        self._kept = _keep(_select(len(self.index), subset), indices, len(self.index))
        if len(self) == 0:
            raise ValueError(
                f'subset={subset} and indices={indices} leave none of the {len(self.index)} images '
                f'in {", ".join(roots)}; keep at least one'
            )
        self._step = _coprime(len(self))
        self.pipeline = Compose([TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline])
        for loader in self.pipeline.transforms:
            if isinstance(loader, LoadAerialImage):
                for pack in packs_of(self.index):
                    pack.check_loader(loader)

    # ---- what the Runner, hooks and scoring ask for

    @property
    def metainfo(self) -> dict:
        """Facts about the data set; ``classes`` among them if it has labels."""
        return dict(self._metainfo)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes in order of their labels, None without labels."""
        return self._metainfo.get('classes')

    CLASSES = classes  # the name that mmpretrain's hooks look for

    @property
    def labels(self) -> np.ndarray:
        """Labels of all images, (len(self),) int64."""
        if not self.with_labels:
            raise AttributeError('this UnlabelledImages has no labels; build it with with_labels=True')
        return self._folder_labels[self.index.folder_ids[self._positions()]]

    def get_gt_labels(self) -> np.ndarray:
        """The same as :attr:`labels`, by the name that mmpretrain uses."""
        return self.labels

    def __len__(self) -> int:
        return len(self.index) if self._kept is None else len(self._kept)

    def get_data_info(self, idx: int) -> dict:
        """Path, number and (with labels) class of one image."""
        idx = int(idx)
        if not -len(self) <= idx < len(self):
            raise IndexError(f'image {idx} of {len(self)} was asked for')
        idx %= len(self)
        position = self._position(idx)
        info = {'img_path': self.index[position], 'sample_idx': idx}
        if self.with_labels:
            info['gt_label'] = int(self._folder_labels[self.index.folder_ids[position]])
        return info

    def __getitem__(self, idx: int) -> dict:
        """One sample as the pipeline makes it, from another image if this one is unreadable.

        Raises:
            RuntimeError: If :attr:`max_unreadable` images in a row, or all, are unreadable.
        """
        unreadable = []
        for attempt in range(min(len(self), self.max_unreadable)):
            # Far apart, because damaged files often lie side by side.
            number = (int(idx) + attempt * self._step) % len(self)
            info = self.get_data_info(number)
            try:
                stored = self.index.stored(self._position(number))
                if stored is not None:
                    info['img_bytes'] = stored
                with seeded(idx.seed) if isinstance(idx, SeededIndex) else nullcontext():
                    sample = self.pipeline(info)
            except UnreadableImageError as error:
                unreadable.append((error.path, error.reason))
                continue
            if unreadable:
                _note(sample, unreadable)
            return sample
        path, reason = unreadable[0]
        none = len(unreadable) == len(self)
        raise RuntimeError(
            f'{"none" if none else len(unreadable)} of the {len(self)} images in '
            f'{", ".join(self.data_root)} could {"be read" if none else "not be read, in a row"} '
            f'(the first, {printable(path)}: {reason}); repair the files or correct data_root'
        )

    # ---- labels and parts

    def _position(self, number: int) -> int:
        return number if self._kept is None else int(self._kept[number])

    def _positions(self) -> np.ndarray | slice:
        return slice(None) if self._kept is None else self._kept

    def _label_folders(self) -> np.ndarray:
        """The label of each folder of the index, -1 for a root; sets the classes."""
        names = [folder.split(os.sep)[0] for folder in self.index.folders]
        used = set(np.unique(self.index.folder_ids).tolist())
        loose = [number for number in used if not names[number]]
        if loose:
            position = int(np.argmax(self.index.folder_ids == loose[0]))
            raise ValueError(
                f'{printable(self.index[position])} lies in no sub-folder that could name its class; move it '
                'into one or set with_labels=False'
            )
        classes = sorted({names[number] for number in used})
        if 'classes' in self._metainfo:
            unknown = sorted(set(classes) - set(self._metainfo['classes']))
            if unknown:
                raise ValueError(
                    f'the folders {", ".join(unknown)} in {", ".join(self.data_root)} are none of '
                    'the classes of metainfo; add them there'
                )
            classes = self._metainfo['classes']
        self._metainfo['classes'] = tuple(classes)
        numbers = {name: number for number, name in enumerate(classes)}
        return np.array([numbers.get(name, -1) for name in names], np.int64)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}({len(self)} images in {", ".join(self.data_root)}, '
            f'classes={self.classes}, {self.pipeline})'
        )


def _several(value: str | Sequence[str]) -> list[str]:
    return [os.fspath(value)] if isinstance(value, str | os.PathLike) else list(value)


def _select(size: int, subset: dict | None) -> np.ndarray | None:
    """Sorted positions of a random part of ``size`` images, (n,) uint32; None for all."""
    if subset is None:
        return None
    options = {'seed': 0, 'rest': False, **subset}
    unknown = sorted(set(options) - {'fraction', 'seed', 'rest'})
    if unknown or not 0 <= options.get('fraction', -1) <= 1:
        raise ValueError(
            f'subset of UnlabelledImages is {subset}; give fraction in [0, 1] and, if wanted, seed and rest'
        )
    # NumPy promises that the stream of RandomState never changes.
    order = np.random.RandomState(options['seed']).permutation(size)
    count = round(size * options['fraction'])
    part = order[count:] if options['rest'] else order[:count]
    return np.sort(part).astype(np.uint32)


def _keep(selected: np.ndarray | None, indices: int | Sequence[int] | None, size: int) -> np.ndarray | None:
    """Apply ``indices`` to the positions selected so far."""
    if indices is None:
        return selected
    selected = np.arange(size, dtype=np.uint32) if selected is None else selected
    if isinstance(indices, int):
        return selected[: max(indices, 0)]
    wanted = np.asarray(indices, np.int64)
    if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(selected):
        raise ValueError(
            f'indices of UnlabelledImages reach from {wanted.min()} to {wanted.max()}, but there '
            f'are {len(selected)} images; keep them in 0 to {len(selected) - 1}'
        )
    return selected[wanted]


def _coprime(size: int) -> int:
    """A step near the golden section of ``size`` that visits all positions before any again."""
    step = max(1, round(size * _GOLDEN))
    while math.gcd(step, size) != 1:
        step += 1
    return step


def _note(sample: dict, unreadable: list[tuple[str, str]]) -> None:
    data_sample = sample.get('data_samples') if isinstance(sample, dict) else None
    if data_sample is None:
        print_log(f'{unreadable} cannot be read and were replaced', 'current', logging.WARNING)
    else:
        data_sample.set_metainfo({'unreadable': unreadable})
