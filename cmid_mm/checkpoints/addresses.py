"""Checkpoints named by an address: once they are downloaded, files like any other."""

import os
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, get_rank
from mmengine.runner import CheckpointLoader, checkpoint

from .loading import SAFE_GLOBALS, load_checkpoint


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_address(
    filename: str,
    map_location: str | torch.device | None = None,
    model_dir: str | os.PathLike | None = None,
    progress: bool = False,
) -> dict:
    """Download a checkpoint, unless it was before, and load it by :func:`~cmid_mm.checkpoints.load_checkpoint`.

    It stands in for mmengine's loader, which runs whatever code the file holds, also where that is called for
    ``torchvision://`` and ``open-mmlab://``.

    Args:
        filename (str): Address.
        map_location (str or torch.device, optional): As in ``torch.load``. Defaults to None.
        model_dir (str or PathLike, optional): Folder of the file. Defaults to None: torch's own,
            ``$TORCH_HOME/hub/checkpoints``.
        progress (bool): Whether to show how far the download is. Defaults to False.

    Raises:
        CheckpointError: If the file is damaged or needs pickle.
        OSError: If it cannot be downloaded.
    """
    folder = Path(model_dir or Path(torch.hub.get_dir(), 'checkpoints'))
    path = folder / os.path.basename(urlparse(filename).path)
    if get_rank() == 0:
        _download(filename, path, progress)
    barrier()
    _download(filename, path, progress)  # on other machines
    return load_checkpoint(path, map_location)


def _download(address: str, path: Path, progress: bool) -> None:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(address, str(path), progress=progress)


def _load_file(
    file: str | os.PathLike | BinaryIO,
    map_location: str | torch.device | None = None,
    weights_only: bool | None = None,
) -> dict:
    if isinstance(file, str | os.PathLike):
        return load_checkpoint(file, map_location)
    with torch.serialization.safe_globals(SAFE_GLOBALS):
        return torch.load(file, map_location=map_location, weights_only=True)


# Loaders of the other schemes call these two by name; the second of them falls back to full pickle by itself.
checkpoint.load_from_http = load_from_address
checkpoint._safe_torch_load = _load_file
