"""Write scenes to the folders that the tasks read; the files do not depend on the number of workers."""

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

from .plan import BOX_CLASSES, MASK_CLASSES
from .scene import SCENE_CLASSES, SMALLEST, Scene, draw_scene

# Raised whenever the same seed would draw other pictures.
VERSION = 1
TASKS = ('classification', 'segmentation', 'detection', 'change')
RECORD = 'scenes.json'
# Colours of MASK_CLASSES for pictures of masks, RGB.
MASK_PALETTE = (
    (150, 120, 90),
    (140, 190, 100),
    (30, 110, 50),
    (220, 200, 90),
    (50, 110, 200),
    (120, 120, 125),
    (200, 60, 50),
    (250, 220, 40),
    (240, 240, 240),
    (250, 130, 200),
    (160, 90, 200),
    (240, 140, 60),
    (30, 30, 90),
    (90, 70, 70),
    (0, 200, 200),
)
_CHUNK = 8


def write_scenes(
    root: str | Path,
    num: int,
    size: int = 128,
    seed: int = 0,
    tasks: Sequence[str] = TASKS,
    workers: int = 1,
    val_fraction: float = 0.2,
    overwrite: bool = False,
) -> bool:
    """Write ``num`` scenes for each of ``tasks``; classes take turns, so that they are equally many.

    Layouts below ``root``: ``classification/{train,val}/<class>/*.png``;
    ``segmentation/{img_dir,ann_dir}/{train,val}/*.png``;
    ``detection/{train,val}/{images/*.png,labelTxt/*.txt}`` (DOTA's lines);
    ``change/{train,val,test}/{A,B,OUT}/*.png`` (OUT 0 or 255); and ``scenes.json``, which says what was drawn.

    Args:
        root: Folder to write to.
        num: Scenes a task, over all splits and classes.
        size: Pixels a side.
        seed: Number of the set; scene i of it has seed ``seed * 2**32 + i``. Tasks share scenes.
        tasks: Of :data:`TASKS`.
        workers: Processes; 1 draws in this one.
        val_fraction: Share of validation scenes; ``change`` has a test split of the same size beside it.
        overwrite: Remove what an earlier call has written to ``root``, and draw anew.

    Returns:
        Whether anything was drawn: False if the same scenes stand there complete.

    Raises:
        ValueError: If an argument is out of range.
        FileExistsError: If ``root`` holds scenes of other settings, or files that no call of this has written.
    """
    _check(num, size, seed, tasks, workers, val_fraction)
    root, tasks = Path(root), [task for task in TASKS if task in tasks]
    settings = {
        'version': VERSION,
        'num': num,
        'size': size,
        'seed': seed,
        'tasks': tasks,
        'val_fraction': val_fraction,
        'scene_classes': list(SCENE_CLASSES),
        'mask_classes': list(MASK_CLASSES),
        'mask_palette': [list(colour) for colour in MASK_PALETTE],
        'box_classes': list(BOX_CLASSES),
    }
    record = root / RECORD
    if _stands(root, settings, overwrite):
        return False
    # Taken up again by the next run if this one is cut short: the record says complete at the end only.
    root.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({'complete': False, **settings}, indent=2) + '\n')
    for former in filter(Path.is_dir, [root / task for task in TASKS]):
        shutil.rmtree(former)
    split = partial(split_of, val_fraction=val_fraction)
    for folder in _folders(root, num, tasks):
        folder.mkdir(parents=True, exist_ok=True)
    write = partial(_write_one, root=root, size=size, seed=seed, tasks=tasks, split=split)
    _run(write, num, workers)
    record.write_text(json.dumps({'complete': True, **settings}, indent=2) + '\n')
    return True


def replace_scenes(root: str | Path, num: int, **settings) -> bool:
    """Write scenes as :func:`write_scenes` does, in the place of those that it has written with other settings.

    Raises:
        FileExistsError: If ``root`` holds anything else.
    """
    try:
        return write_scenes(root, num, **settings)
    except FileExistsError:
        return write_scenes(root, num, **settings, overwrite=True)  # it refuses again if they are not its own


def _check(num: int, size: int, seed: int, tasks: Sequence[str], workers: int, val_fraction: float) -> None:
    unknown = sorted(set(tasks) - set(TASKS))
    if unknown or not tasks:
        raise ValueError(f'tasks {list(tasks)} of scenes: give one or more of {", ".join(TASKS)}')
    for name, value, least in (
        ('num', num, 1),
        ('size', size, SMALLEST),
        ('seed', seed, 0),
        ('workers', workers, 1),
    ):
        if value < least:
            raise ValueError(f'{name} {value} of scenes is too small: give at least {least}')
    if not 0 <= val_fraction <= 0.4:
        raise ValueError(f'val_fraction {val_fraction} of scenes: give a share from 0 to 0.4')


def _stands(root: Path, settings: dict, overwrite: bool) -> bool:
    """Whether ``root`` holds exactly these scenes, complete; raises if it holds what must not be removed."""
    record = root / RECORD
    if not record.exists():
        if root.is_dir() and any(root.iterdir()):
            raise FileExistsError(
                f'{root} holds files but no {RECORD}: give an empty folder or a new one for the scenes'
            )
        return False
    if overwrite:
        return False
    found = json.loads(record.read_text())
    for key, value in settings.items():
        if found.get(key) != value:
            raise FileExistsError(
                f'{record} says {key} {found.get(key)!r} where {value!r} is asked for: give another '
                'folder, the same settings, or --overwrite'
            )
    return found['complete']


def split_of(index: int, task: str, val_fraction: float) -> str:
    """Split of scene ``index``: ``val_fraction`` of each class, at another place in each class, is held out.

    For ``change`` as many again are for testing.
    """
    number, label = divmod(index, len(SCENE_CLASSES))

    def taken(phase: float) -> bool:
        phase += (label + 0.5) / len(SCENE_CLASSES)
        return int((number + 1) * val_fraction + phase) > int(number * val_fraction + phase)

    if taken(0.0):
        return 'val'
    return 'test' if task == 'change' and taken(0.5) else 'train'


def _folders(root: Path, num: int, tasks: Sequence[str]) -> Iterator[Path]:
    for task in tasks:
        for name in ('train', 'val', 'test') if task == 'change' else ('train', 'val'):
            if task == 'classification':
                yield from (root / task / name / label for label in SCENE_CLASSES[:num])
            elif task == 'segmentation':
                yield from (root / task / kind / name for kind in ('img_dir', 'ann_dir'))
            else:
                parts = ('images', 'labelTxt') if task == 'detection' else ('A', 'B', 'OUT')
                yield from (root / task / name / part for part in parts)


def _write_one(
    index: int,
    root: Path,
    size: int,
    seed: int,
    tasks: Sequence[str],
    split: Callable[[int, str], str],
) -> None:
    label = index % len(SCENE_CLASSES)
    # Seeds of two runs never meet: a validation scene of one is no training scene of the other.
    scene = draw_scene(seed * 2**32 + index, label, size, later='change' in tasks)
    stem = f'{scene.label}_{index:06d}'
    for task in tasks:
        folder, name = root / task, split(index, task)
        if task == 'classification':
            _save(folder / name / scene.label / f'{stem}.png', scene.image)
        elif task == 'segmentation':
            _save(folder / 'img_dir' / name / f'{stem}.png', scene.image)
            _save(folder / 'ann_dir' / name / f'{stem}.png', scene.mask)
        elif task == 'detection':
            _save(folder / name / 'images' / f'{stem}.png', scene.image)
            (folder / name / 'labelTxt' / f'{stem}.txt').write_text(dota_lines(scene))
        else:
            _save(folder / name / 'A' / f'{stem}.png', scene.image)
            _save(folder / name / 'B' / f'{stem}.png', scene.later)
            _save(folder / name / 'OUT' / f'{stem}.png', scene.change * 255)


def dota_lines(scene: Scene) -> str:
    """Boxes of a scene in DOTA's form, one a line: ``x1 y1 x2 y2 x3 y3 x4 y4 class difficult``."""
    rows = zip(scene.boxes, scene.box_labels, scene.box_difficult, strict=True)
    return ''.join(
        ' '.join(f'{value:.1f}' for value in box) + f' {label} {int(difficult)}\n' for box, label, difficult in rows
    )


def _save(path: Path, picture: np.ndarray) -> None:
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    # OpenCV cannot open every path that Python can, so it encodes and Python writes.
    path.write_bytes(cv2.imencode('.png', picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())


def _write_chunk(write: Callable[[int], None], indices: range) -> None:
    for index in indices:
        write(index)


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Scenes are too small for threads, and a forked process that inherits OpenCV's pool of threads hangs."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _run(write: Callable[[int], None], num: int, workers: int) -> None:
    """Call ``write`` for every index below ``num``, in chunks, with a bar that shows the time left."""
    chunks = [range(start, min(start + _CHUNK, num)) for start in range(0, num, _CHUNK)]
    progress = Progress('drawing scenes', BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    if workers == 1:
        with _one_opencv_thread(), progress:
            for chunk in progress.track(chunks):
                _write_chunk(write, chunk)
        return
    # The platform's own way to start processes: on Linux a fork, which spares each worker seconds of imports.
    context = multiprocessing.get_context()
    with _one_opencv_thread(), ProcessPoolExecutor(workers, context) as pool:
        # All forks happen here, before the bar starts its thread.
        futures = [pool.submit(_write_chunk, write, chunk) for chunk in chunks]
        try:
            with progress:
                for future in progress.track(futures):
                    future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
