"""Loading, views with cell positions, block masks and photometric noise."""

from .loading import LoadAerialImage
from .masking import BlockMask
from .photometric import (
    DrawPhotometricNoise,
    RandomColorJitter,
    RandomGaussianBlur,
    RandomGaussianNoise,
    RandomToGray,
)
from .views import (
    Crop,
    RandomFlipWithPositions,
    RandomResizedCropWithPositions,
    Squeeze,
    TwoViews,
    cell_positions,
)

__all__ = [
    'BlockMask',
    'Crop',
    'DrawPhotometricNoise',
    'LoadAerialImage',
    'RandomColorJitter',
    'RandomFlipWithPositions',
    'RandomGaussianBlur',
    'RandomGaussianNoise',
    'RandomResizedCropWithPositions',
    'RandomToGray',
    'Squeeze',
    'TwoViews',
    'cell_positions',
]
