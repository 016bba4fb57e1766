"""CMID and its rivals for remote sensing images without labels, as an OpenMMLab plugin suite.

``custom_imports=dict(imports=['cmid_mm'])`` in a config registers every component. Only mmpretrain is
needed for that; what needs mmsegmentation or mmrotate is imported by the configs of those tasks.
"""

from . import checkpoints, datasets, engine, models  # noqa: F401  registers every component
from .version import __version__

__all__ = ['__version__']
