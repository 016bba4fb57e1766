"""Classification of images."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.apis import ImageClassificationInferencer
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer

from .base import Inferencer, Prediction, Report
from .inputs import Scene, Source, read_scene
from .pictures import shrink
from .trained import build_pipeline

# Files are read at so many times the resolution that the pipeline resizes them to, or more.
_SPARE = 2
LEGIBLE = 384  # pixels of the shorter side of a picture that has room for the text


@dataclass
class ClassPrediction(Prediction):
    """The class of an image.

    Args:
        label (int): Number of the class.
        class_name (str): Its name.
        score (float): Its probability.
        scores (np.ndarray): (K,) float32, the probabilities of all classes.
    """

    label: int
    class_name: str
    score: float
    scores: np.ndarray


class ClassificationInferencer(Inferencer):
    """Classifies images, of any size: the config's test pipeline resizes them.

    Large files are read at a reduced scale, still at least twice that of the model's input. With ``out_dir`` it writes
    ``predictions.json`` (a list, one entry an input) and ``pictures/<name>.jpg``.

    Args:
        config, checkpoint, device, bands, value_range: As for :class:`~cmid_mm.apis.base.Inferencer`.

    Example:
        >>> inferencer = ClassificationInferencer('classifier_r50_ucm.py', 'epoch_200.pth')
        >>> [prediction] = inferencer('harbor07.jpg')
        >>> prediction.class_name, prediction.score
        ('harbor', 0.98)
    """

    task: ClassVar[str] = 'classification'
    picture_side: ClassVar[int] = 4096

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike,
        device: str | torch.device | None = None,
        *,
        bands: Sequence[int] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(config, checkpoint, device, bands=bands, value_range=value_range)
        build_pipeline(self.cfg)  # says what is wrong with it, if anything
        self.model._config = self.cfg  # where mmpretrain's inferencer looks
        self._mmpretrain = ImageClassificationInferencer(self.model, pretrained=False, classes=self.classes)
        self._input_side = max(
            (
                value
                for step in self.cfg.test_dataloader.dataset.pipeline
                for key in ('scale', 'crop_size')
                for value in np.ravel(step.get(key, ())).astype(int).tolist()
            ),
            default=0,
        )

    def reduction(self, height: int, width: int) -> int:
        """Power of two that leaves both sides at twice the input of the model."""
        if self._input_side == 0:
            return 1
        return 1 << max(0, int(min(height, width) / (_SPARE * self._input_side)).bit_length() - 1)

    def stream(
        self,
        inputs: Any,
        out_dir: str | os.PathLike | None = None,
        batch_size: int = 1,
        progress: bool = True,
    ) -> Iterator[ClassPrediction]:
        """Yield each prediction when it is made; ``predictions.json`` is written after the last."""
        entries = []
        for prediction in super().stream(inputs, out_dir, batch_size, progress):
            entries.append(self._entry(prediction))
            yield prediction
        if out_dir is not None:
            (Path(out_dir) / 'predictions.json').write_text(json.dumps(entries, indent=2) + '\n')

    def predict(
        self, sources: Sequence[Source], batch_size: int, report: Report
    ) -> Iterator[tuple[Scene, ClassPrediction]]:
        """Classify the sources."""
        remaining = iter(sources)
        while batch := [read_scene(source, self.decoding) for source in islice(remaining, batch_size)]:
            images = [np.ascontiguousarray(scene.dates[0]) for scene in batch]
            [data] = self._mmpretrain.preprocess(images, batch_size)
            for scene, result in zip(
                batch, self._mmpretrain.postprocess(self._mmpretrain.forward(data), []), strict=True
            ):
                source = scene.source
                yield (
                    scene,
                    ClassPrediction(
                        source.name,
                        source.path,
                        result['pred_label'],
                        result['pred_class'],
                        result['pred_score'],
                        result['pred_scores'],
                    ),
                )

    def save(self, prediction: ClassPrediction, stem: Path) -> None:
        """Write nothing: all are in ``predictions.json``."""

    def draw(self, scene: Scene, prediction: ClassPrediction) -> np.ndarray:
        """Write the class and its score on the image."""
        image = shrink(scene.dates[0], self.picture_side)
        sample = DataSample().set_pred_score(torch.from_numpy(prediction.scores)).set_pred_label(prediction.label)
        drawn = UniversalVisualizer().visualize_cls(
            np.ascontiguousarray(image[..., ::-1]),
            sample,
            classes=self.classes,
            draw_gt=False,
            resize=max(LEGIBLE, min(image.shape[:2])),
        )
        return drawn[..., ::-1]

    def _entry(self, prediction: ClassPrediction) -> dict:
        return dict(
            name=prediction.name,
            path=prediction.path,
            label=prediction.label,
            class_name=prediction.class_name,
            score=prediction.score,
            scores=dict(zip(self.classes, prediction.scores.tolist(), strict=True)),
        )
