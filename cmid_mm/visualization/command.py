"""What the tools of ``tools/analysis`` share: their options, where pictures go, and errors of one sentence."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from mmengine.device import get_device

from cmid_mm.apis.inputs import find_images
from cmid_mm.checkpoints import CheckpointError, Network
from cmid_mm.checkpoints.extract import ROLES
from cmid_mm.datasets import BandError, UnreadableImageError
from cmid_mm.evaluation import ImageSet, extract_features, extract_maps, read_image_set
from cmid_mm.evaluation.images import read_images

from .progress import ProgressBar

DEFAULT_SIZE = 224


def picture_parser(description: str, out: str) -> argparse.ArgumentParser:
    """Make the parser of a tool that shows images to a network, with the arguments that all of them have.

    Args:
        description (str): The tool's docstring.
        out (str): Name of the picture that it writes by default.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='epoch_*.pth that tools/train.py wrote, or an extracted backbone')
    parser.add_argument(
        '--out', type=Path, help=f'picture to write (default: pictures/{out} of the work folder of the checkpoint)'
    )
    parser.add_argument('--device', default=get_device(), help='cpu, cuda, cuda:1, ... (default: a GPU, if any)')
    return parser


def add_size(parser: argparse.ArgumentParser, times: int = 1) -> None:
    """Add ``--size``, by default ``times`` that of training."""
    said = 'that of training' if times == 1 else f'{times} times that of training, for finer maps'
    parser.add_argument('--size', type=int, help=f'side in pixels that images are squeezed to (default: {said})')


def add_role(parser: argparse.ArgumentParser) -> None:
    """Add ``--role``, the network that is shown images."""
    parser.add_argument('--role', choices=tuple(ROLES), default='student', help='which network (default: student)')


def size_of(args: argparse.Namespace, network: Network, times: int = 1) -> int:
    """Side in pixels of the images to show.

    Raises:
        ValueError: If ``--size`` is no multiple of 32, the stride of most backbones.
    """
    size = args.size or times * (network.size or DEFAULT_SIZE)
    if size < 1 or size % 32:
        raise ValueError(f'--size {size} is no multiple of 32, the side of a cell; give one, such as 96 or 224')
    return size


def picture_path(out: Path | None, checkpoint: str | Path, name: str) -> Path:
    """Where a picture goes; its folder is made.

    Args:
        out (Path, optional): What the user asked for.
        checkpoint (str or Path): The file that is pictured; beside mmengine's ``last_checkpoint`` it lies in a work
            folder.
        name (str): Name of the picture.

    Raises:
        ValueError: If nothing was asked for and the checkpoint lies in no work folder.
    """
    folder = Path(checkpoint).expanduser().parent
    if out is None and not (folder / 'last_checkpoint').is_file():
        raise ValueError(f'{checkpoint} lies in no work folder of tools/train.py; say by --out where to write {name}')
    out = folder / 'pictures' / name if out is None else out
    out.parent.mkdir(parents=True, exist_ok=True)
    return out


def read_named_images(inputs: Sequence[str], size: int, most: int | None = None) -> tuple[np.ndarray, list[str]]:
    """Read images, and those of folders.

    Args:
        inputs (Sequence[str]): Files and folders.
        size (int): Side in pixels that each is squeezed to.
        most (int, optional): Of more, so many are taken at even distances. Defaults to None: all.

    Returns:
        tuple[np.ndarray, list[str]]: ``(n, size, size, 3)`` uint8 RGB, and a name for each.

    Raises:
        FileNotFoundError: If a path does not exist or a folder has no image.
        ValueError: If a file that was named is damaged or no image, or no image of the folders can be read; of others
            that cannot be read one line says which they are.
    """
    sources = find_images(list(inputs))
    if most is not None and len(sources) > most:
        sources = [sources[place] for place in np.linspace(0, len(sources) - 1, most).round().astype(int)]
    pixels, kept, problems = read_images([source.path for source in sources], size)
    named = {str(path) for path in inputs}
    for place, problem in zip(sorted(set(range(len(sources))) - set(kept.tolist())), problems, strict=True):
        if sources[place].path in named or len(problems) == len(sources):
            raise ValueError(problem)
        print(f'left out: {problem}')
    return pixels, [sources[place].name for place in kept]


def read_folder(folder: str | Path, size: int, fewest: int, most: int, seed: int) -> ImageSet:
    """Read a folder by :func:`~cmid_mm.evaluation.read_image_set`, with an index of its own that is thrown away."""
    with tempfile.TemporaryDirectory() as cache:
        return read_image_set(folder, size, cache, partial(ProgressBar, every_seconds=10), fewest, most, seed)


def maps_of(network: Network, pixels: np.ndarray, device: str) -> np.ndarray:
    """Compute the last maps ``(n, C, h, w)`` of images ``(n, size, size, 3)``, uint8 RGB."""
    return _compute(extract_maps, network, pixels, device)


def features_of(network: Network, pixels: np.ndarray, device: str) -> np.ndarray:
    """Compute the pooled features ``(n, C)`` of images ``(n, size, size, 3)``, uint8 RGB."""
    return _compute(extract_features, network, pixels, device).values


def _compute(extract: Callable, network: Network, pixels: np.ndarray, device: str):
    channels = pixels[..., ::-1] if network.is_bgr else pixels
    size = pixels.shape[1]
    with ProgressBar('features', len(pixels)) as bar:
        options = dict(batch_size=16, device=device, progress=bar.advance, mean=network.mean, std=network.std)
        try:
            return extract(network.module, channels, size=size, **options)
        except AssertionError as error:  # of mmpretrain, on windows and patches that do not fit
            raise ValueError(
                f'this network does not take images of {size} pixels, give another --size: {error}'
            ) from error


def draw_or_exit(tool: str, draw: Callable[[], Path]) -> None:
    """Draw and say where the picture is; what the user can mend ends the program with one sentence."""
    try:
        out = draw()
    except (BandError, CheckpointError, OSError, UnreadableImageError, ValueError) as error:
        sys.exit(f'{tool}: {error}')
    print(f'wrote {out}')
