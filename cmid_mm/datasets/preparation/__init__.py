"""Official archives -> the folders that the configs read; one function a data set, for ``tools/datasets``."""

from .change_pairs import prepare_change_pairs
from .dota import prepare_dota
from .errors import PreparationError
from .isprs import prepare_isprs
from .millionaid import prepare_millionaid
from .outcome import Outcome
from .ucmerced import prepare_ucmerced

__all__ = [
    'Outcome',
    'PreparationError',
    'prepare_change_pairs',
    'prepare_dota',
    'prepare_isprs',
    'prepare_millionaid',
    'prepare_ucmerced',
]
