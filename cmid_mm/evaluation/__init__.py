"""What a frozen backbone has learned: k-NN, linear probe, collapse, and the baselines to beat."""

from .collapse import Collapse, measure_collapse
from .features import Features, extract_features
from .histogram import colour_histograms
from .knn import knn_accuracy
from .labelled import labels_from_folders, split_by_class
from .linear_probe import LinearProbe, linear_probe

__all__ = [
    'Collapse',
    'Features',
    'LinearProbe',
    'colour_histograms',
    'extract_features',
    'knn_accuracy',
    'labels_from_folders',
    'linear_probe',
    'measure_collapse',
    'split_by_class',
]
