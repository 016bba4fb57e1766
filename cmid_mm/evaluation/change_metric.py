"""Scores of change detection over a whole set (CMID, section IV-F, reports F1)."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS
from torch import Tensor

# Of a score that a ratio leaves undefined: which zero makes it so.
_UNDEFINED = dict(
    precision='no pixel is predicted as changed',
    recall='no pixel is labelled as changed',
    F1='no pixel is labelled or predicted as changed',
    IoU='no pixel is labelled or predicted as changed',
    OA='no pixel has a label',
    kappa='labels and predictions are all of one class',
)


@METRICS.register_module()
class ChangeMetric(BaseMetric):
    """Precision, recall, F1 and IoU of the changed class, overall accuracy and Cohen's kappa.

    One confusion matrix of all pixels of all images gives them. All are in percent except ``kappa``, from -1 to 1.
    A score whose denominator is 0 is nan, and the log says why; ``CheckpointHook`` passes over nan.

    Args:
        ignore_index (int): Label of pixels that do not count. Defaults to 255.
        collect_device (str): ``'cpu'`` or ``'gpu'``, where results of several processes meet. Defaults to ``'cpu'``.
        prefix (str, optional): Put before each name with a slash. Defaults to None.
    """

    def __init__(self, ignore_index: int = 255, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_index = ignore_index

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of each image.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): With ``pred_sem_seg`` and ``gt_sem_seg``, labels ``(1, H, W)``.

        Raises:
            ValueError: If a label is neither 0, 1 nor ignored, or sizes differ.
        """
        for sample in data_samples:
            truth, prediction = (sample[key]['data'].squeeze(0) for key in ('gt_sem_seg', 'pred_sem_seg'))
            # One entry an image: collect_results drops the images that a sampler repeats to fill the processes.
            self.results.append(self._confusion(truth, prediction, sample.get('img_path')))

    def _confusion(self, truth: Tensor, prediction: Tensor, path: str | None) -> np.ndarray:
        """Pixels by label and prediction, (2, 2)."""
        if truth.shape != prediction.shape:
            raise ValueError(
                f'{path}: the label has shape {tuple(truth.shape)} and the prediction {tuple(prediction.shape)}; in '
                'tests, load the label before any Resize of the images'
            )
        counted = truth != self.ignore_index
        truth, prediction = truth[counted].long(), prediction[counted].long()
        if truth.numel() and max(truth.max(), prediction.max()) > 1:
            raise ValueError(
                f'{path}: labels and predictions of change are 0 or 1, but {max(truth.max(), prediction.max())} '
                'occurs; map the labels with LoadLabelMap(num_classes=2) and set num_classes=2 in the head'
            )
        return (2 * truth + prediction).bincount(minlength=4).reshape(2, 2).cpu().numpy()

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Compute the scores from the matrices of all images."""
        # Python's integers do not overflow, whatever the number of pixels.
        (tn, fp), (fn, tp) = sum(results, np.zeros((2, 2), np.int64)).tolist()
        total = tn + fp + fn + tp
        # Chance agreement, times total squared.
        chance = (tn + fp) * (tn + fn) + (fn + tp) * (fp + tp)
        ratios = dict(
            precision=(100 * tp, tp + fp),
            recall=(100 * tp, tp + fn),
            F1=(200 * tp, 2 * tp + fp + fn),
            IoU=(100 * tp, tp + fp + fn),
            OA=(100 * (tp + tn), total),
            kappa=((tp + tn) * total - chance, total * total - chance),
        )
        for name, (_, denominator) in ratios.items():
            if denominator == 0:
                print_log(f'{name} is nan: {_UNDEFINED[name]}', 'current', logging.WARNING)
        return {name: above / below if below else float('nan') for name, (above, below) in ratios.items()}
