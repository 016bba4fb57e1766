"""Trained models at work: image, folder or large scene in; predictions, and pictures, out.

What needs mmsegmentation or mmrotate is imported when an inferencer of that task is made.
"""

from .change import ChangeInferencer
from .classification import ClassificationInferencer, ClassPrediction
from .detection import DetectionInferencer, DetectionPrediction
from .segmentation import SegmentationInferencer, SegmentationPrediction
from .trained import read_config, task_of

INFERENCERS = {
    kind.task: kind
    for kind in (ClassificationInferencer, SegmentationInferencer, DetectionInferencer, ChangeInferencer)
}

__all__ = [
    'INFERENCERS',
    'ChangeInferencer',
    'ClassPrediction',
    'ClassificationInferencer',
    'DetectionInferencer',
    'DetectionPrediction',
    'SegmentationInferencer',
    'SegmentationPrediction',
    'read_config',
    'task_of',
]
