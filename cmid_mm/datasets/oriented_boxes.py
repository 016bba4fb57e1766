"""Images with oriented boxes in DOTA's label files; every label is checked before training starts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmrotate.datasets import DOTADataset
from mmrotate.registry import DATASETS
from mmrotate.visualization import get_palette
from PIL import Image

from .dota_lines import HEADERS, LINE, parse_line


class _Box(NamedTuple):
    line: int  # number in the label file, from 1
    corners: tuple[float, ...]  # x1 y1 ... x4 y4, pixels
    label: str
    difficulty: int


@DATASETS.register_module()
class OrientedBoxes(DOTADataset):
    """mmrotate's ``DOTADataset`` whose order does not depend on the file system and whose labels are checked.

    A line of ``ann_file/*.txt`` is ``x1 y1 x2 y2 x3 y3 x4 y4 class difficult``: corners in pixels, which may be
    fractions and may lie outside the image as long as part of the box lies inside. The headers of DOTA's own files
    are skipped. Only the headers of images are read.

    With fewer classes than the labels have, each class that is to be background must be named in ``left_out``, so
    that a misspelt class is never background. ``num_classes`` of the model's box head must be that of the classes.

    Args:
        left_out (Sequence[str]): Classes whose boxes are left out. Defaults to none.
        img_suffix (str): How image names end, for example ``'png'`` or ``'jpg'``. Defaults to ``'png'``.
        metainfo (Mapping, optional): ``dict(classes=(...))``; DOTA-v1.0's 15 classes by default. Colours that it does
            not give are DOTA's where the names are, else drawn.
        **kwargs: As mmrotate's ``DOTADataset``. ``ann_file=''`` takes all images, without labels.

    Raises:
        FileNotFoundError: If the folder of images or of labels does not exist.
        ValueError: If a folder is empty, an image lacks its label file or the reverse, a label line is malformed, its
            class unknown, or its box without area or wholly outside the image; if no image is left to train on.
    """

    def __init__(self, left_out: Sequence[str] = (), img_suffix: str = 'png', **kwargs) -> None:
        self.left_out = tuple(left_out)
        super().__init__(img_suffix=img_suffix.lstrip('.'), **kwargs)

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping | None = None) -> dict:
        loaded = super()._load_metainfo(metainfo)
        classes = loaded['classes']
        if isinstance(classes, str) or not classes or len(set(classes)) < len(classes):
            raise ValueError(
                f'metainfo of {cls.__name__} has classes={classes!r}; give different names in a tuple, such as '
                "('ship',)"
            )
        if 'palette' not in (metainfo or {}):
            known = dict(zip(cls.METAINFO['classes'], cls.METAINFO['palette'], strict=True))
            drawn = get_palette('random', len(classes))
            loaded['palette'] = [known.get(name, colour) for name, colour in zip(classes, drawn, strict=True)]
        return loaded

    def load_data_list(self) -> list[dict]:
        """Read and check all labels.

        Returns:
            list[dict]: Of each image, in the order of names: ``img_id``, ``file_name``, ``img_path``, ``instances``
            (``bbox`` of 8 numbers, ``bbox_label``, ``ignore_flag``), and ``height`` and ``width`` where it has labels.
        """
        images = _files(self.data_prefix['img_path'], self.img_suffix, 'images', 'data_prefix')
        if not self.ann_file:
            return [self._info(path, []) for path in images.values()]
        labels = _files(self.ann_file, 'txt', 'label files', 'ann_file')
        _check_pairs(labels, images, f'image {self.data_prefix["img_path"]}/*.{self.img_suffix}')
        _check_pairs(images, labels, f'label file {self.ann_file}/*.txt')
        numbers = {name: number for number, name in enumerate(self.metainfo['classes'])}
        return [self._labelled(images[stem], labels[stem], numbers) for stem in labels]

    def filter_data(self) -> list[dict]:
        """Leave out images without boxes where ``filter_cfg`` asks for it."""
        kept = super().filter_data()
        if not kept:
            raise ValueError(f'none of the {len(self.data_list)} label files in {self.ann_file} has a box to train on')
        return kept

    def _info(self, image: Path, instances: list[dict], **size: int) -> dict:
        return dict(img_id=image.stem, file_name=image.name, img_path=str(image), instances=instances, **size)

    def _labelled(self, image: Path, label_file: Path, numbers: dict[str, int]) -> dict:
        boxes = list(_read(label_file))
        width, height = _size_of(image)
        _check_places(boxes, label_file, image, width, height)
        instances = []
        for box in boxes:
            if box.label in numbers:
                ignored = int(box.difficulty > self.diff_thr)
                instances.append(dict(bbox=list(box.corners), bbox_label=numbers[box.label], ignore_flag=ignored))
            elif box.label not in self.left_out:
                raise ValueError(
                    f"{label_file}:{box.line}: the class '{box.label}' is none of {', '.join(numbers)}; correct it, "
                    'add it to classes of metainfo, or name it in left_out to train without its boxes'
                )
        return self._info(image, instances, width=width, height=height)


def _files(folder: str, suffix: str, what: str, key: str) -> dict[str, Path]:
    """Files of a folder by stem, in the order of names."""
    if not Path(folder).is_dir():
        raise FileNotFoundError(f'{folder} is no folder of {what}; correct data_root or {key}')
    # Archives made on a Mac bring hidden files that look like labels.
    paths = [path for path in sorted(Path(folder).glob(f'*.{suffix}')) if not path.name.startswith('.')]
    if not paths:
        raise ValueError(f'{folder} holds no {what} (*.{suffix}); fill it, or correct data_root, {key} or img_suffix')
    return {path.stem: path for path in paths}


def _check_pairs(one: dict[str, Path], other: dict[str, Path], what: str) -> None:
    alone = [path for stem, path in one.items() if stem not in other]
    if alone:
        raise ValueError(
            f'{alone[0]} has no {what} of its name, as {len(alone)} of {len(one)} files; add what is missing, remove '
            'what is too much, or correct data_prefix, ann_file and img_suffix'
        )


def _read(label_file: Path) -> Iterator[_Box]:
    """Yield the boxes of a label file."""
    text = label_file.read_text(encoding='utf-8-sig', errors='replace')
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(HEADERS):
            continue
        try:
            box = _Box(number, *parse_line(line))
        except ValueError:
            raise ValueError(f"{label_file}:{number}: read '{line}' where '{LINE}' is expected; correct it") from None
        yield box


def _size_of(image: Path) -> tuple[int, int]:
    """Width and height that the header of an image file says."""
    try:
        with Image.open(image) as header:
            return header.size
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f'{image} cannot be read as an image ({error}); replace it, or cut it to tiles') from error


def _check_places(boxes: list[_Box], label_file: Path, image: Path, width: int, height: int) -> None:
    corners = np.array([box.corners for box in boxes]).reshape(-1, 4, 2)
    faults = {
        'has no area': _flat(corners),
        f'lies outside {image} of {width} x {height} pixels': _apart(corners, width, height),
    }
    for fault, wrong in faults.items():
        if wrong.any():
            box = boxes[int(wrong.argmax())]
            raise ValueError(
                f'{label_file}:{box.line}: the box {" ".join(f"{value:g}" for value in box.corners)} ({box.label}) '
                f'{fault}; correct the label or remove the line'
            )


def _flat(corners: np.ndarray) -> np.ndarray:
    """Whether the corners (n, 4, 2) of boxes lie on one line, (n,)."""
    x, y = (corners[:, 1:] - corners[:, :1]).transpose(2, 0, 1)  # (n, 3) each, seen from the first corner
    return (x * np.roll(y, 1, axis=1) == y * np.roll(x, 1, axis=1)).all(axis=1)


def _apart(corners: np.ndarray, width: int, height: int) -> np.ndarray:
    """Whether boxes (n, 4, 2) share no area with the image, (n,): convex figures are apart if a side separates them."""
    frame = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    sides = np.roll(corners, -1, axis=1) - corners
    normals = np.stack([-sides[..., 1], sides[..., 0]], axis=-1)
    axes = np.concatenate([np.broadcast_to(np.eye(2), (len(corners), 2, 2)), normals], axis=1)
    box, image = axes @ corners.transpose(0, 2, 1), axes @ frame.T  # (n, 6, 4)
    separated = (box.max(-1) <= image.min(-1)) | (image.max(-1) <= box.min(-1))
    # Two corners at one place have no side between them.
    return (separated & axes.any(-1)).any(-1)
