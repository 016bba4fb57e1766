"""Segmentation of images and large scenes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import mmcv
import numpy as np
import torch
from mmengine.config import Config

from .base import Prediction
from .inputs import Scene
from .pictures import overlay, shares, shrink, with_legend
from .windowed import Collector, WindowedInferencer
from .windows import Blender, Grid, Window


@dataclass
class SegmentationPrediction(Prediction):
    """The class of each pixel.

    Args:
        classes (np.ndarray): (H, W) uint8, numbers into the inferencer's ``classes``.
        confidence (np.ndarray | None): (H, W) float16, blended probability of that class, where it was asked for.
    """

    classes: np.ndarray
    confidence: np.ndarray | None = None


class _Map(Collector):
    """Blends the probabilities of windows."""

    def __init__(self, scene: Scene, blender: Blender) -> None:
        self.source = scene.source
        self.blender = blender

    def add(self, number: int, window: Window, output: Any) -> None:
        logits = output.seg_logits.data
        # A single output has been through its sigmoid in mmsegmentation already.
        self.blender.add(window, torch.softmax(logits, dim=0) if len(logits) > 1 else logits)

    def finish(self) -> SegmentationPrediction:
        self.blender.finish()
        return SegmentationPrediction(self.source.name, self.source.path, self.blender.classes, self.blender.confidence)


class SegmentationInferencer(WindowedInferencer):
    """Segments images; scenes larger than a window are blended from overlapping ones.

    With ``out_dir`` it writes ``predictions/<name>.png``, 8-bit grey whose values are class numbers, and
    ``pictures/<name>.jpg``, the classes over the image with a legend.

    Args:
        config, checkpoint, device, window_size, overlap, bands, value_range: As for
            :class:`~cmid_mm.apis.windowed.WindowedInferencer`.
        confidence (bool): Whether predictions hold the probability of each pixel's class. Defaults to False.

    Example:
        >>> inferencer = SegmentationInferencer('upernet_r50_potsdam.py', 'epoch_50.pth')
        >>> [prediction] = inferencer('scene.tif', out_dir='out')
        >>> prediction.classes.shape
        (6000, 6000)
    """

    task: ClassVar[str] = 'segmentation'
    picture_side: ClassVar[int] = 4096

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike,
        device: str | torch.device | None = None,
        *,
        window_size: int | tuple[int, int] | None = None,
        overlap: float = 0.25,
        confidence: bool = False,
        bands: Sequence[int] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(
            config,
            checkpoint,
            device,
            window_size=window_size,
            overlap=overlap,
            bands=bands,
            value_range=value_range,
        )
        self.confidence = confidence

    def collector(self, scene: Scene, grid: Grid) -> Collector:
        """Blend the windows of a scene."""
        # Only heads of a single output have a threshold.
        return _Map(scene, Blender(grid, self.model.decode_head.threshold or 0.5, self.confidence))

    def save(self, prediction: SegmentationPrediction, stem: Path) -> Path:
        """Write the class numbers."""
        path = stem.with_name(f'{stem.name}.png')
        mmcv.imwrite(prediction.classes, str(path))
        return path

    def draw(self, scene: Scene, prediction: SegmentationPrediction) -> np.ndarray:
        """Draw the classes over the image."""
        image = shrink(scene.dates[-1], self.picture_side)
        classes = shrink(prediction.classes, self.picture_side, labels=True)
        return with_legend(
            overlay(image, classes, self.palette), shares(prediction.classes, self.classes, self.palette)
        )
