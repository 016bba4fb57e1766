"""Hooks, one concern each."""

from .exact_resume_hook import ExactResumeHook
from .progress_hook import ProgressBarHook
from .teacher_hook import TeacherHook
from .unreadable_hook import UnreadableImagesHook

__all__ = ['ExactResumeHook', 'ProgressBarHook', 'TeacherHook', 'UnreadableImagesHook']
