"""Hooks, one concern each."""

from .exact_resume_hook import ExactResumeHook
from .teacher_hook import TeacherHook

__all__ = ['ExactResumeHook', 'TeacherHook']
