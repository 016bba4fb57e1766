"""Self-supervised algorithms, one file each."""

from .cmid import CMID
from .teacher_student import TeacherStudent

__all__ = ['CMID', 'TeacherStudent']
