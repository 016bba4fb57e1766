"""Cells of a comparison, each a method, a seed and the images it is pretrained on; run in processes of their own."""

import copy
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue

import torch
from mmengine.config import Config

from cmid_mm.checkpoints.loading import sha256_of
from cmid_mm.datasets import UnlabelledImages
from cmid_mm.engine.environment import cores
from cmid_mm.evaluation import ImageSet, read_image_set

# How the backbone of a cell came about.
PRETRAINED, UNTRAINED, LOADED, HISTOGRAM = 'pretrained', 'untrained', 'loaded', 'histogram'
SPLIT_SEED = 0
# Beside tools/, in the checkout as in the installed package.
CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
RECIPE = CONFIGS / 'classification/classifier_r18_scenes.py'


@dataclass(frozen=True)
class Scenes:
    """A folder of class folders: what is pretrained on, and what is scored.

    Attributes:
        name (str): What tables call it.
        root (str): The folder.
        fingerprint (str): Of the names and sizes of its files and of the split.
        list_file (str): Text file that lists all images but those held back.
        images (int): Lines of it.
        held_back (int): Images that are scored.
    """

    name: str
    root: str
    fingerprint: str
    list_file: str
    images: int
    held_back: int


@dataclass(frozen=True)
class Evaluation:
    """How a backbone is scored."""

    shots: tuple[int, ...] = ()
    fine_tune_steps: int = 0
    fine_tune_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One backbone to make and to score.

    Attributes:
        method (str): Row of the table.
        kind (str): How the backbone comes about.
        seed (int): Of pretraining, of what k-shot learning draws, and of fine-tuning.
        data (Scenes, optional): What it is pretrained on; None where nothing is.
        config (str): File of the pretraining config, fitted to the data and the budget; it also says of how many
            pixels images are, and which backbone begins untrained.
        key (str): Hash of that config and of the data.
        minutes (float, optional): Budget of time; None if the config says the epochs.
        weights (str, optional): File of weights that are loaded.
        scored (tuple[Scenes]): What it is scored on.
        evaluation (Evaluation): How.
        folder (str): Where its pieces are written.
    """

    method: str
    kind: str
    seed: int
    data: Scenes | None
    config: str
    key: str
    minutes: float | None
    weights: str | None
    scored: tuple[Scenes, ...]
    evaluation: Evaluation
    folder: str

    @property
    def made(self) -> Path:
        """What is known of the making of the backbone, once it is made or has failed to be."""
        return Path(self.folder, 'pretraining.json')

    def frozen(self, scenes: Scenes) -> Path:
        """Scores of the frozen backbone on ``scenes``, once they are known."""
        return self._piece('frozen', scenes, dict(shots=self.evaluation.shots))

    def fine_tuned(self, scenes: Scenes) -> Path | None:
        """The score after fine-tuning on ``scenes``, once it is known; None if it is not asked for."""
        evaluation = self.evaluation
        if self.kind == HISTOGRAM or not evaluation.fine_tune_steps or scenes.name not in evaluation.fine_tune_on:
            return None
        settings = dict(steps=evaluation.fine_tune_steps, recipe=read_recipe().to_dict())
        return self._piece('fine_tuned', scenes, settings)

    def _piece(self, what: str, scenes: Scenes, settings: dict) -> Path:
        key = hash_of(dict(settings, images=scenes.fingerprint))
        return Path(self.folder, f'{what}-{file_name(scenes.name)}-{key}.json')

    def pieces(self) -> list[Path]:
        """All files that a finished cell has."""
        found = [self.made]
        if self.made.is_file() and read_piece(self.made).get('error'):
            return found
        for scenes in self.scored:
            found += [piece for piece in (self.frozen(scenes), self.fine_tuned(scenes)) if piece]
        return found

    def finished(self) -> bool:
        return all(piece.is_file() for piece in self.pieces())


@cache
def read_recipe() -> Config:
    """The config by which every backbone is fine-tuned."""
    return Config.fromfile(RECIPE)


def hash_of(settings: dict) -> str:
    """Sixteen hexadecimal digits that differ where anything in ``settings`` does."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=list).encode()).hexdigest()[:16]


def file_name(text: str) -> str:
    """``text`` with what does not belong in a file name replaced."""
    return re.sub(r'[^\w.-]+', '_', text)


def read_piece(file: Path) -> dict:
    return json.loads(file.read_text())


def write_piece(file: Path, content: dict) -> None:
    """Write a finished piece in one stroke: one that is cut short must not pass for it."""
    partial = file.with_suffix('.partial')
    partial.write_text(json.dumps(content, indent=1))
    partial.replace(file)


def read_scenes(root: str, size: int, work_dir: Path, bar: Callable) -> ImageSet:
    """The images of a folder in the split that all methods share."""
    return read_image_set(root, size, work_dir / 'index', bar, seed=SPLIT_SEED)


def find_scenes(name: str, root: str, work_dir: Path, bar: Callable) -> Scenes:
    """Read a folder once, list what may be pretrained on, and hash what it holds.

    Raises:
        ValueError: If there are too few images, or no class folders.
    """
    images = read_scenes(root, 32, work_dir, bar)
    if images.labels is None:
        raise ValueError(
            f'{root} has no two sub-folders of 5 or more images that could be classes, so nothing can be scored; '
            'give a folder of class folders'
        )
    index = UnlabelledImages(root, cache=str(work_dir / 'index')).index
    held_back = set(images.places[images.test].tolist())
    paths = [index.relative(place) for place in range(len(index))]
    facts = hashlib.sha256()
    for place, path in enumerate(paths):
        facts.update(f'{path}\0{os.path.getsize(Path(root, path))}\0{place in held_back}\n'.encode())
    fingerprint = facts.hexdigest()[:16]
    list_file = work_dir / 'lists' / f'{file_name(name)}-{fingerprint}.txt'
    list_file.parent.mkdir(parents=True, exist_ok=True)
    lines = [path for place, path in enumerate(paths) if place not in held_back]
    text = ''.join(f'{line}\n' for line in lines)
    # Writing it anew would change its time, and with it every index that was built from it.
    if not list_file.is_file() or list_file.read_text() != text:
        list_file.write_text(text)
    return Scenes(name, str(root), fingerprint, str(list_file), len(lines), len(held_back))


def make_cell(
    work_dir: Path,
    method: str,
    kind: str,
    seed: int,
    cfg: Config,
    data: Scenes | None = None,
    scored: Sequence[Scenes] = (),
    evaluation: Evaluation | None = None,
    minutes: float | None = None,
    weights: str | None = None,
    workers: int = 1,
) -> Cell:
    """Complete a config that is fitted to data and budget, give it its key, and write both to the cell's folder."""
    cfg = copy.deepcopy(cfg)
    cfg.randomness.seed = seed
    settings = {name: value for name, value in cfg.to_dict().items() if name not in ('work_dir', 'default_hooks')}
    loader = settings['train_dataloader']
    for name in ('num_workers', 'persistent_workers', 'pin_memory'):
        loader.pop(name, None)
    for name in ('data_root', 'list_file', 'cache'):
        loader['dataset'].pop(name, None)
    facts = dict(kind=kind, minutes=minutes)
    if kind in (PRETRAINED, UNTRAINED):
        facts.update(config=settings)
    if data is not None:
        facts.update(data=data.fingerprint)
    if weights is not None:
        facts.update(weights=sha256_of(weights))
    key = hash_of(dict(facts, seed=seed, size=cfg.size, normalisation=normalisation_of(cfg)))
    folder = work_dir / 'cells' / (data.name if data else 'any') / file_name(method) / f'seed{seed}-{key}'
    folder.mkdir(parents=True, exist_ok=True)
    cfg.work_dir = str(folder / 'run')
    cfg.train_dataloader.update(
        num_workers=workers, persistent_workers=workers > 0, pin_memory=torch.cuda.is_available()
    )
    cfg.train_dataloader.dataset.cache = str(work_dir / 'index')
    cell = Cell(
        *(method, kind, seed, data, str(folder / 'config.py'), key, minutes, weights, tuple(scored)),
        evaluation=evaluation or Evaluation(),
        folder=str(folder),
    )
    if not cell.finished():
        cfg.dump(cell.config)
    return cell


def normalisation_of(cfg: Config) -> dict:
    """Mean and deviation that a config's images are normalised with, of red, green and blue, 0 to 255."""
    preprocessor = cfg.model.get('data_preprocessor') or cfg.data_preprocessor
    return dict(mean=list(preprocessor.mean), std=list(preprocessor.std))


def run_cells(cells: Sequence[Cell], jobs: int | None, finished: Callable[[Cell, str | None], None]) -> None:
    """Run the cells that are not finished, each in a process, one on each GPU or ``jobs`` at once on CPUs.

    Args:
        cells (Sequence[Cell]): In the order in which they are begun.
        jobs (int, optional): Processes at once. Defaults to None: one on each GPU, or one without GPUs.
        finished (Callable): Called after each with the cell and None, or the reason why it failed.
    """
    gpus = _gpus()
    jobs = jobs or max(1, len(gpus))
    places: SimpleQueue = SimpleQueue()
    for job in range(jobs):
        places.put(gpus[job % len(gpus)] if gpus else None)
    threads = os.environ.get('OMP_NUM_THREADS') or str(max(1, cores() // jobs))

    running: set[subprocess.Popen] = set()

    def run(cell: Cell) -> str | None:
        place = places.get()
        environment = dict(os.environ, OMP_NUM_THREADS=threads)
        if place is not None:
            environment['CUDA_VISIBLE_DEVICES'] = place
        try:
            return _run_cell(cell, environment, running)
        finally:
            places.put(place)

    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(run, cell): cell for cell in cells if not cell.finished()}
        try:
            for future in as_completed(futures):
                finished(futures[future], future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                process.terminate()
            raise


def _run_cell(cell: Cell, environment: dict[str, str], running: set[subprocess.Popen]) -> str | None:
    """Run one cell to its end; returns None, or the last line of its log if it failed."""
    folder = Path(cell.folder)
    description = folder / 'cell.json'
    description.write_text(json.dumps(asdict(cell), indent=1))
    command = [sys.executable, str(Path(__file__).with_name('run_cell.py')), str(description)]
    log = folder / 'log.txt'
    with log.open('a') as file:
        file.write(shlex.join(command) + '\n')
        file.flush()
        # The cell ends when this pipe does, however this process comes to its end.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT, env=environment
        )
        running.add(process)
        with process.stdin:
            code = process.wait()
        running.discard(process)
    if code == 0:
        return None
    lines = log.read_text(errors='replace').strip().splitlines()
    return f'{lines[-1]} (exit status {code}; the rest is in {log})'


def read_cell(description: Path) -> Cell:
    """Read back what ``run_cells`` wrote for the process of a cell."""
    stored = json.loads(description.read_text())
    stored['data'] = Scenes(**stored['data']) if stored['data'] else None
    stored['scored'] = tuple(Scenes(**scenes) for scenes in stored['scored'])
    evaluation = {name: tuple(v) if isinstance(v, list) else v for name, v in stored['evaluation'].items()}
    return Cell(**dict(stored, evaluation=Evaluation(**evaluation)))


def _gpus() -> list[str]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if not torch.cuda.is_available():
        return []
    return visible.split(',') if visible else [str(number) for number in range(torch.cuda.device_count())]
