"""What the inferencers of all tasks share: inputs, batches, files and progress."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import mmcv
import numpy as np
import torch
from mmengine.config import Config

from cmid_mm.datasets.decoding import Decoding
from cmid_mm.visualization.progress import ProgressBar

from .inputs import Image, Scene, Source, find_images
from .trained import load_trained, read_config, task_of

MAX_PIXELS = 2**30


@dataclass
class Prediction:
    """What a model says of one input; each task adds its own fields.

    Args:
        name (str): What the output files are called, without an ending.
        path (str | tuple[str, ...] | None): The input file, two for a pair; None for arrays.
        files (list[Path]): What was written for it.
    """

    name: str
    path: str | tuple[str, ...] | None
    files: list[Path] = field(default_factory=list, kw_only=True)


class Inferencer(ABC):
    """A trained model that takes images and gives predictions and pictures.

    Args:
        config (str, PathLike or Config): What the model was trained with.
        checkpoint (str or PathLike): The whole model, as ``tools/train.py`` wrote it; loaded strictly, and without
            running code.
        device (str or torch.device, optional): Defaults to None: a GPU where there is one.
        bands (Sequence[int], optional): One or three indices, from 0, of the bands of a file to use as red, green and
            blue. Defaults to None: the first three, or the only one three times.
        value_range (tuple[float, float], optional): Values that become 0 and 255 where an image is not 8-bit.
            Defaults to None: the 2nd and 98th percentile of each band of each image.

    Attributes:
        classes (tuple[str, ...]): Names of the classes.
        palette (list[tuple[int, int, int]]): Their colours, RGB.

    Raises:
        FileNotFoundError: If the config or the checkpoint does not exist.
        CheckpointError: If the checkpoint is damaged or does not fit the config.
        ValueError: If the config is one of another task.
    """

    task: ClassVar[str]

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike,
        device: str | torch.device | None = None,
        *,
        bands: Sequence[int] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self.cfg = read_config(config)
        found = task_of(self.cfg)
        if found != self.task:
            raise ValueError(
                f'{self.cfg.filename or "the config"} is one of {found}; take the inferencer of {found}, not of '
                f'{self.task}'
            )
        self.trained = load_trained(self.cfg, checkpoint, device)
        self.model, self.classes, self.palette = self.trained.model, self.trained.classes, self.trained.palette
        self.decoding = Decoding(self.reduction, bands, value_range, MAX_PIXELS)

    def __call__(
        self,
        inputs: Any,
        out_dir: str | os.PathLike | None = None,
        batch_size: int = 1,
        progress: bool = True,
    ) -> list[Prediction]:
        """Predict all inputs.

        Args:
            inputs: An image file (JPEG, PNG, or TIFF of any depth), a folder (searched at any depth, sorted), an array
                (H, W, 3) of BGR pixels, as OpenMMLab has them, or a list of these. For change a pair of these.
            out_dir (str or PathLike, optional): Where to write predictions and pictures. Defaults to None: nowhere.
            batch_size (int): Images or windows that the model sees at once. Defaults to 1.
            progress (bool): Whether to show how far it is. Defaults to True.

        Returns:
            list[Prediction]: One for each input, in order.

        Raises:
            FileNotFoundError: If a path does not exist, or a folder has no image.
            UnreadableImageError: If a file is damaged or no image.
            ValueError: If an argument is out of range, or an input does not fit the task.
        """
        return list(self.stream(inputs, out_dir, batch_size, progress))

    def stream(
        self,
        inputs: Any,
        out_dir: str | os.PathLike | None = None,
        batch_size: int = 1,
        progress: bool = True,
    ) -> Iterator[Prediction]:
        """Like calling, but yields each prediction when it is made, so that none needs to be kept."""
        if batch_size < 1:
            raise ValueError(f'batch_size {batch_size} is too small; give at least 1')
        sources = self.find(inputs)
        out = None if out_dir is None else Path(out_dir)
        if out is not None:
            _check_outside(out, inputs)
        report = Report(self.task, len(sources), progress)
        try:
            for scene, prediction in self.predict(sources, batch_size, report):
                if out is not None:
                    self._write(out, scene, prediction)
                yield prediction
                report.input_done()
        finally:
            report.close()

    def find(self, inputs: Any) -> list[Source]:
        """List what is to be predicted."""
        return find_images(inputs)

    def reduction(self, height: int, width: int) -> int:
        """Power of two by which a file of this size may be reduced while it is read."""
        return 1

    @abstractmethod
    def predict(
        self, sources: Sequence[Source], batch_size: int, report: 'Report'
    ) -> Iterator[tuple[Scene, Prediction]]:
        """Predict the sources one after another, at bounded memory."""

    @abstractmethod
    def draw(self, scene: Scene, prediction: Prediction) -> np.ndarray:
        """Draw a picture of a prediction, (h, w, 3) uint8, BGR."""

    @abstractmethod
    def save(self, prediction: Prediction, stem: Path) -> Path | None:
        """Write the prediction of one input to ``stem`` with an ending; None where there is no file an input."""

    def _write(self, out: Path, scene: Scene, prediction: Prediction) -> None:
        stem = out / 'predictions' / prediction.name
        written = self.save(prediction, stem)
        picture = out / 'pictures' / f'{prediction.name}.jpg'
        mmcv.imwrite(self.draw(scene, prediction), str(picture))
        prediction.files = [picture] if written is None else [written, picture]


class Report:
    """Progress over inputs, or over the windows of a single one."""

    def __init__(self, what: str, inputs: int, shown: bool) -> None:
        self.what, self.inputs, self.shown = what, inputs, shown
        self.bar = ProgressBar(what, inputs) if shown and inputs > 1 else None

    def windows(self, done: int, total: int, name: str) -> None:
        """Say that ``done`` windows of the input ``name`` are predicted."""
        if self.inputs == 1 and self.shown:
            self.bar = self.bar or ProgressBar(f'{self.what}: windows', total)
            self.bar.advance(done - self.bar.done)
        elif self.bar is not None and total > 1:
            self.bar.advance(0, note=f'{name}: window {done} of {total}')

    def input_done(self) -> None:
        """Count one more input."""
        if self.bar is not None and self.inputs > 1:
            self.bar.advance()

    def close(self) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.close()


def _check_outside(out: Path, inputs: Image | Sequence[Image]) -> None:
    """Pictures inside an input folder would be inputs of the next call."""
    for item in inputs if isinstance(inputs, list | tuple) else [inputs]:
        folder = isinstance(item, str | os.PathLike) and Path(item).is_dir()
        if folder and out.resolve().is_relative_to(Path(item).resolve()):
            raise ValueError(f'out_dir {out} lies inside the input folder {item}; give a folder outside of it')
