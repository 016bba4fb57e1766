"""Parts that algorithms share: teacher, queue, masks, matching."""

from .masking import fill_masked, pixel_mask
from .matching import match_cells
from .precision import full_precision, no_autocast
from .queue import KeyQueue
from .teacher import average_parameters, copy_student, cosine_momentum, make_teacher

__all__ = [
    'KeyQueue',
    'average_parameters',
    'copy_student',
    'cosine_momentum',
    'fill_masked',
    'full_precision',
    'make_teacher',
    'match_cells',
    'no_autocast',
    'pixel_mask',
]
