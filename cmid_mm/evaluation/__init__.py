"""What a frozen backbone has learned: k-NN, linear probe, collapse, and the baselines to beat."""

from .collapse import Collapse, measure_collapse
from .features import Features, extract_features, extract_maps
from .histogram import colour_histograms
from .image_set import ImageSet, read_image_set
from .knn import knn_accuracy
from .labelled import labels_from_folders, split_by_class
from .linear_probe import LinearProbe, linear_probe
from .scoring import Score, score_features

__all__ = [
    'Collapse',
    'Features',
    'ImageSet',
    'LinearProbe',
    'Score',
    'colour_histograms',
    'extract_features',
    'extract_maps',
    'knn_accuracy',
    'labels_from_folders',
    'linear_probe',
    'measure_collapse',
    'read_image_set',
    'score_features',
    'split_by_class',
]
