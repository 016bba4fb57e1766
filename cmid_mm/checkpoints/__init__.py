"""Checkpoints: load them safely, take backbones out of them, convert those of other projects."""

from .addresses import load_from_address
from .convert import Conversion, convert_checkpoint
from .extract import extract_backbone
from .loading import CheckpointError, load_checkpoint
from .networks import Network, load_backbone, load_pretraining
from .pretrained import load_strictly
from .training_state import convert_training_state

__all__ = [
    'CheckpointError',
    'Conversion',
    'Network',
    'convert_checkpoint',
    'convert_training_state',
    'extract_backbone',
    'load_backbone',
    'load_checkpoint',
    'load_from_address',
    'load_pretraining',
    'load_strictly',
]
