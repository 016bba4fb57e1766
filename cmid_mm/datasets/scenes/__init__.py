"""Aerial-looking scenes drawn from a seed, with labels, masks, oriented boxes and known change."""

from .plan import BOX_CLASSES, MASK_CLASSES
from .scene import SCENE_CLASSES, Scene, draw_scene

__all__ = ['BOX_CLASSES', 'MASK_CLASSES', 'SCENE_CLASSES', 'Scene', 'draw_scene']
