"""Oriented boxes in images and large scenes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.config import Config

from .base import Prediction
from .boxes import merge_windows
from .inputs import Scene
from .pictures import draw_boxes, shrink, with_legend
from .windowed import Collector, WindowedInferencer
from .windows import Grid, Window

DOTA_IOU = 0.1  # of DOTA's own merging of tiles


@dataclass
class DetectionPrediction(Prediction):
    """Oriented boxes, by falling score.

    Args:
        boxes (np.ndarray): (N, 5) float32 of centre x, centre y, width, height (pixels) and angle (radians, le90).
        scores (np.ndarray): (N,) float32.
        labels (np.ndarray): (N,) int64, numbers into the inferencer's ``classes``.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    @property
    def corners(self) -> np.ndarray:
        """Corners of the boxes, (N, 4, 2) of x and y."""
        from mmrotate.structures.bbox import rbox2qbox

        return rbox2qbox(torch.from_numpy(self.boxes)).reshape(-1, 4, 2).numpy()


class _Boxes(Collector):
    """Gathers the boxes of windows and merges them."""

    def __init__(self, scene: Scene, grid: Grid, iou_threshold: float) -> None:
        self.source, self.grid, self.iou_threshold = scene.source, grid, iou_threshold
        self.boxes: list[torch.Tensor] = []
        self.scores: list[torch.Tensor] = []
        self.labels: list[torch.Tensor] = []

    def add(self, number: int, window: Window, output: Any) -> None:
        found = output.pred_instances
        boxes = getattr(found.bboxes, 'tensor', found.bboxes).clone()
        boxes[:, 0] += window.left
        boxes[:, 1] += window.top
        self.boxes.append(boxes)
        self.scores.append(found.scores)
        self.labels.append(found.labels)

    def finish(self) -> DetectionPrediction:
        origins = [torch.full((len(boxes),), number) for number, boxes in enumerate(self.boxes)]
        boxes, scores, labels = torch.cat(self.boxes), torch.cat(self.scores), torch.cat(self.labels)
        kept = merge_windows(
            boxes,
            scores,
            labels,
            torch.cat(origins).to(boxes.device),
            list(self.grid),
            self.grid.shape,
            self.iou_threshold,
        )
        arrays = (part[kept].cpu().numpy() for part in (boxes, scores, labels))
        return DetectionPrediction(self.source.name, self.source.path, *arrays)


class DetectionInferencer(WindowedInferencer):
    """Finds objects in oriented boxes; those of overlapping windows are merged.

    With ``out_dir`` it writes ``predictions/<name>.txt``, one box a line, ``x1 y1 x2 y2 x3 y3 x4 y4 class score``
    (corners in pixels, as DOTA's labels have them), and ``pictures/<name>.jpg`` with the boxes and
    a legend.

    Args:
        config, checkpoint, device, window_size, overlap, bands, value_range: As for
            :class:`~cmid_mm.apis.windowed.WindowedInferencer`.
        draw_score (float): Boxes below it are not drawn, though they are predicted. Defaults to 0.3.

    Example:
        >>> inferencer = DetectionInferencer('oriented-rcnn_r50_dota.py', 'epoch_12.pth')
        >>> [prediction] = inferencer('P0706.png')
        >>> prediction.boxes.shape, inferencer.classes[prediction.labels[0]]
        ((87, 5), 'ship')
    """

    task: ClassVar[str] = 'detection'
    picture_side: ClassVar[int] = 4096

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike,
        device: str | torch.device | None = None,
        *,
        window_size: int | tuple[int, int] | None = None,
        overlap: float = 0.25,
        draw_score: float = 0.3,
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
        self.draw_score = draw_score
        test_cfg = self.cfg.model.get('test_cfg') or {}
        self.iou_threshold = test_cfg.get('rcnn', test_cfg).get('nms', {}).get('iou_threshold', DOTA_IOU)

    def collector(self, scene: Scene, grid: Grid) -> Collector:
        """Merge the windows of a scene."""
        return _Boxes(scene, grid, self.iou_threshold)

    def save(self, prediction: DetectionPrediction, stem: Path) -> Path:
        """Write one box a line."""
        rows = zip(prediction.corners.reshape(-1, 8), prediction.labels, prediction.scores, strict=True)
        lines = (
            f'{" ".join(f"{value:.1f}" for value in corners)} {self.classes[label]} {score:.4f}\n'
            for corners, label, score in rows
        )
        path = stem.with_name(f'{stem.name}.txt')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(lines))
        return path

    def draw(self, scene: Scene, prediction: DetectionPrediction) -> np.ndarray:
        """Draw the boxes in the colours of their classes."""
        image = shrink(scene.dates[-1], self.picture_side)
        shown = prediction.scores >= self.draw_score
        labels = prediction.labels[shown]
        corners = prediction.corners[shown] * (image.shape[1] / scene.shape[1])
        numbers, counts = np.unique(labels, return_counts=True)
        entries = [(self.palette[i], f'{self.classes[i]} {count}') for i, count in zip(numbers, counts, strict=True)]
        return with_legend(draw_boxes(image, corners, [self.palette[label] for label in labels]), entries)
