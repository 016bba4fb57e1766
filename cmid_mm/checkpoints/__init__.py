"""Checkpoints: load them safely, take backbones out of them."""

from .extract import extract_backbone
from .loading import CheckpointError, load_checkpoint
from .pretrained import load_strictly

__all__ = ['CheckpointError', 'extract_backbone', 'load_checkpoint', 'load_strictly']
