"""Aerial-looking scenes drawn from a seed, with labels, masks, oriented boxes and known change."""

from .plan import BOX_CLASSES, MASK_CLASSES
from .scene import SCENE_CLASSES, Scene, draw_scene
from .writer import MASK_PALETTE, TASKS, replace_scenes, write_scenes

__all__ = [
    'BOX_CLASSES',
    'MASK_CLASSES',
    'MASK_PALETTE',
    'SCENE_CLASSES',
    'TASKS',
    'Scene',
    'draw_scene',
    'replace_scenes',
    'write_scenes',
]
