"""One short text that tells whether a data set is still the one that a run was trained on."""

import os
import pickle
from hashlib import blake2b

import numpy as np
from mmengine.dataset import BaseDataset
from torch.utils.data import Dataset

from .image_sources import packs_of
from .packed import DATA
from .unlabelled import UnlabelledImages

_SIZES = 256  # files whose size is looked at


def fingerprint(dataset: Dataset) -> str | None:
    """Hash what a data set consists of, without reading an image.

    Of ``UnlabelledImages`` these are the digest of its index (all paths below their folders, in order) and the sizes
    of up to 256 files that lie evenly in it, or of the packs; it is the same wherever the folders lie. Of the data
    sets of OpenMMLab these are the samples as they were listed, paths and labels included. Of a wrapper they are those
    of what it wraps. Pixels that change without a change of names or sizes are not noticed.

    Args:
        dataset (Dataset): Fully initialised.

    Returns:
        str: 32 hexadecimal digits; None where the data set is of another kind.
    """
    digest = blake2b(digest_size=16)
    if isinstance(dataset, UnlabelledImages):
        _add_images(digest, dataset)
    elif isinstance(dataset, BaseDataset):
        digest.update(dataset.data_bytes if dataset.serialize_data else pickle.dumps(dataset.data_list, protocol=4))
    else:
        inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
        parts = [None if part is None else fingerprint(part) for part in inner]
        if None in parts:
            return None
        digest.update(' '.join(parts).encode())
    return digest.hexdigest()


def _add_images(digest: blake2b, dataset: UnlabelledImages) -> None:
    images = dataset.index
    for part in getattr(images, 'parts', [images]):
        digest.update(part.digest.encode())
    if packs := packs_of(images):
        paths = [os.path.join(pack.path, DATA) for pack in packs]
    else:
        paths = [images[int(place)] for place in np.unique(np.linspace(0, len(images) - 1, _SIZES, dtype=np.int64))]
    for path in paths:
        # A link to nothing is an image that cannot be read, and no reason to stop.
        digest.update(f' {os.path.getsize(path) if os.path.exists(path) else -1}'.encode())
