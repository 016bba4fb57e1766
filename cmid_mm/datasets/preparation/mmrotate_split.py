"""mmrotate's tool that cuts images with oriented boxes to tiles, run as it is."""

import importlib.util
import re
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2

from cmid_mm.visualization.progress import ProgressBar

from .errors import PreparationError

_TOOL = '.mim/tools/data/dota/split/img_split.py'
_DONE = re.compile(r'\([\d.]+% \d+:\d+\) - Filename: (\S+) ')
# BGR of the padding at right and bottom edges, as in BboxToolkit's settings for DOTA: the mean of ImageNet.
_PADDING = ('104', '116', '124')


class Windows(NamedTuple):
    """Windows of ``size / rate`` pixels that overlap by ``gap / rate``, for each rate."""

    size: int
    gap: int
    rates: tuple[float, ...]


def split_images(
    folders: Sequence[Path], labelled: bool, out: Path, windows: Windows, count: int, workers: int, what: str
) -> None:
    """Cut all images of some folders to ``out/images``, and their boxes to ``out/labelTxt``.

    Boxes of which less than 0.7 lies in a window are left out of it; label files of unlabelled images are empty.

    Args:
        folders: Each with ``images`` and, if ``labelled``, ``labelTxt``.
        labelled: Whether there are labels.
        out: Folder that does not exist yet.
        windows: Sizes and overlaps.
        count: Number of images, for the bar.
        workers: Processes.
        what: Name of the task.

    Raises:
        PreparationError: If mmrotate is not installed or its tool fails.
    """
    command = [sys.executable, str(find_tool()), '--nproc', str(workers), '--save-dir', str(out)]
    command += ['--img-dirs', *(str(folder / 'images') for folder in folders)]
    if labelled:
        command += ['--ann-dirs', *(str(folder / 'labelTxt') for folder in folders)]
    command += ['--sizes', str(windows.size), '--gaps', str(windows.gap), '--rates', *map(str, windows.rates)]
    command += ['--padding-value', *_PADDING]
    done, last = set(), deque(maxlen=5)
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
        ProgressBar(what, count) as bar,
    ):
        try:
            for line in process.stdout:
                last.append(line.strip())
                if match := _DONE.search(line):
                    done.add(match[1])
                    bar.advance()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        paths = [path for folder in folders for path in (folder / 'images').iterdir() if path.name not in done]
        damaged = next((path.resolve() for path in paths if cv2.imread(str(path)) is None), None)
        if damaged is not None:
            raise PreparationError(f'{damaged} cannot be read as an image; unpack or download it again')
        raise PreparationError(f"{what}: mmrotate's img_split.py failed: {last[-1] if last else 'it said nothing'}")
    (out / 'annfiles').rename(out / 'labelTxt')
    for log in out.glob('*.log'):
        log.unlink()


def find_tool() -> Path:
    """Path of mmrotate's ``img_split.py``.

    Raises:
        PreparationError: If mmrotate is not installed, or without its tools.
    """
    found = importlib.util.find_spec('mmrotate')
    if found is None:
        raise PreparationError('mmrotate is not installed; install what requirements/rotate.txt names')
    path = Path(found.submodule_search_locations[0], _TOOL)
    if not path.is_file():
        raise PreparationError(f'mmrotate is installed without {path}; install what requirements/rotate.txt names')
    return path
