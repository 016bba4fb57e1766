"""Change between two dates: a wrapper over any mmsegmentation head, joins of the dates, and BIT.

Needs mmsegmentation; ``cmid_mm.with_mmseg`` imports it.
"""

from .bit_head import BITHead
from .data_preprocessor import PairDataPreprocessor
from .joins import AbsoluteDifference, Concatenation, KeepDates
from .two_date_segmentor import TwoDateEncoderDecoder

__all__ = [
    'AbsoluteDifference',
    'BITHead',
    'Concatenation',
    'KeepDates',
    'PairDataPreprocessor',
    'TwoDateEncoderDecoder',
]
