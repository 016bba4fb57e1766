"""Parts that algorithms share: teacher, queue, masks, cells, matching."""

from .cells import MaskedCells, cells_of_image, cells_of_map, take_cells
from .collapse import spread_and_rank
from .joint_views import apply_to_views, layers_on_views, mixes_samples
from .masking import fill_masked, pixel_mask
from .matching import match_cells
from .precision import full_precision, no_autocast
from .queue import KeyQueue
from .teacher import average_parameters, copy_student, cosine_momentum, make_teacher

__all__ = [
    'KeyQueue',
    'MaskedCells',
    'apply_to_views',
    'average_parameters',
    'cells_of_image',
    'cells_of_map',
    'copy_student',
    'cosine_momentum',
    'fill_masked',
    'full_precision',
    'layers_on_views',
    'make_teacher',
    'match_cells',
    'mixes_samples',
    'no_autocast',
    'pixel_mask',
    'spread_and_rank',
    'take_cells',
]
