"""Inferencers that cross large scenes by windows."""

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from .base import Inferencer, Prediction, Report
from .inputs import Scene, Source, read_scene
from .trained import build_pipeline, trained_size
from .windows import Grid, Window

WHOLE = 1024  # pixels of the longer side up to which an image runs whole where no size of windows is known


class Collector:
    """Takes the outputs of a scene's windows, in order, and makes the prediction of the scene."""

    @abstractmethod
    def add(self, number: int, window: Window, output: Any) -> None:
        """Take what the model says of window ``number``, a data sample."""

    @abstractmethod
    def finish(self) -> Prediction:
        """Give the prediction when all windows are in."""


@dataclass(frozen=True)
class _Job:
    """One window of one scene."""

    scene: Scene
    grid: Grid
    number: int
    collector: Collector

    @property
    def last(self) -> bool:
        return self.number == len(self.grid) - 1


class WindowedInferencer(Inferencer):
    """An inferencer that sees a scene through windows of the size the model was trained at.

    A scene that is smaller than a window runs whole. Windows go through the config's own test pipeline.

    Args:
        config, checkpoint, device, bands, value_range: As for :class:`~cmid_mm.apis.base.Inferencer`.
        window_size (int or tuple[int, int], optional): Side, or height and width, of windows in pixels of the scene.
            Defaults to None: the size of training as :func:`~cmid_mm.apis.trained.trained_size` finds it. Where
            training enlarged its images, give the size of the files it read. Where the config tells none, images of
            up to 1024 pixels a side run whole, as the test command runs them, and larger ones are refused.
        overlap (float): Least share of a window that the next one sees too, in [0, 1). Defaults to 0.25.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike,
        device: str | torch.device | None = None,
        *,
        window_size: int | tuple[int, int] | None = None,
        overlap: float = 0.25,
        bands: Sequence[int] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(config, checkpoint, device, bands=bands, value_range=value_range)
        if isinstance(window_size, int):
            window_size = (window_size, window_size)
        size = window_size or trained_size(self.cfg)
        Grid(size or (1, 1), size or (1, 1), overlap)  # checks both
        self.window_size, self.overlap = size, overlap
        self.pipeline = build_pipeline(self.cfg)

    @abstractmethod
    def collector(self, scene: Scene, grid: Grid) -> Collector:
        """Make what collects the windows of a scene."""

    def grid(self, scene: Scene) -> Grid:
        """Lay windows over a scene.

        Raises:
            ValueError: If the scene is large and nothing tells the size of windows.
        """
        if self.window_size is None and max(scene.shape) > WHOLE:
            raise ValueError(
                f'{scene.source.name} has {scene.shape[1]} x {scene.shape[0]} pixels, and '
                f'{self.cfg.filename or "the config"} does not tell the size of its training images; give window_size, '
                'or set it in the config'
            )
        return Grid(scene.shape, self.window_size or scene.shape, self.overlap)

    def predict(self, sources: Sequence[Source], batch_size: int, report: Report) -> Iterator[tuple[Scene, Prediction]]:
        """Predict the sources; windows of several small scenes of one size share a batch."""
        for batch in _batches(self._jobs(sources), batch_size):
            crops = [job.scene.crop(job.grid[job.number]) for job in batch]
            for job, output in zip(batch, self._forward(crops), strict=True):
                job.collector.add(job.number, job.grid[job.number], output)
                report.windows(job.number + 1, len(job.grid), job.scene.source.name)
                if job.last:
                    yield job.scene, job.collector.finish()

    def _jobs(self, sources: Sequence[Source]) -> Iterator[_Job]:
        for source in sources:
            scene = read_scene(source, self.decoding)
            grid = self.grid(scene)
            collector = self.collector(scene, grid)
            for number in range(len(grid)):
                yield _Job(scene, grid, number, collector)
            del scene, grid, collector  # not kept while the next scene is read

    @torch.no_grad()
    def _forward(self, crops: Sequence[np.ndarray]) -> Sequence[Any]:
        """Run the model on crops (h, w, C) of one size; gives a data sample each."""
        samples = [
            self.pipeline(dict(img=crop, img_shape=crop.shape[:2], ori_shape=crop.shape[:2], img_path=None, img_id=0))
            for crop in crops
        ]
        return self.model.test_step(pseudo_collate(samples))


def _batches(jobs: Iterable[_Job], batch_size: int) -> Iterator[list[_Job]]:
    """Group neighbours of one window size, at most ``batch_size`` of them."""
    batch: list[_Job] = []
    for job in jobs:
        if batch and (len(batch) == batch_size or job.grid.size != batch[0].grid.size):
            yield batch
            batch = []
        batch.append(job)
    if batch:
        yield batch
