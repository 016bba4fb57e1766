"""Labels from folder names, and a split that every class is part of."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

# Folders that hold a part of a data set rather than a class of it.
PARTS = frozenset(
    ('train', 'training', 'val', 'valid', 'validation', 'test', 'testing', 'trainval', 'images', 'imgs', 'img_dir')
)


def labels_from_folders(paths: Sequence[str | Path], minimum: int = 5) -> tuple[np.ndarray, list[str]] | None:
    """Read each image's class from its path: the first folder that is not named after a part of a data set.

    ``train/forest/1.png``, ``val/forest/2.png`` and ``forest/2019/3.png`` are all of class ``forest``. Images in no
    such folder and those of classes with fewer than ``minimum`` images have no class.

    Args:
        paths (Sequence[str | Path]): Image files, relative to the folder of the data set.
        minimum (int): Images that make a class. Defaults to 5.

    Returns:
        tuple[np.ndarray, list[str]] | None: Labels ``(n,)`` int64, -1 = no class, and the sorted names of the
        classes; None if there are fewer than 2 classes.
    """
    names = np.array([_class_folder(Path(path)) for path in paths])
    found, counts = np.unique(names, return_counts=True)
    classes = [str(name) for name, count in zip(found, counts, strict=True) if name and count >= minimum]
    if len(classes) < 2:
        return None
    index = {name: label for label, name in enumerate(classes)}
    return np.array([index.get(str(name), -1) for name in names], dtype=np.int64), classes


def _class_folder(path: Path) -> str:
    return next((folder for folder in path.parts[:-1] if folder.lower() not in PARTS), '')


def split_by_class(labels: np.ndarray, test_share: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Split the labelled images so that both parts hold every class in its share.

    Args:
        labels (np.ndarray): ``(n,)`` integers, -1 = no class, which is in neither part.
        test_share (float): Share of the test part. Defaults to 0.2.
        seed (int): Draws the split; the same seed gives the same split.

    Returns:
        tuple[np.ndarray, np.ndarray]: Sorted indices of the training and of the test part.
    """
    labelled = np.flatnonzero(labels >= 0)
    classes = len(np.unique(labels[labelled]))
    size = max(classes, round(test_share * len(labelled)))
    train, test = train_test_split(labelled, test_size=size, stratify=labels[labelled], random_state=seed)
    return np.sort(train), np.sort(test)
