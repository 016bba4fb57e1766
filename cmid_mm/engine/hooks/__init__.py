"""Hooks, one concern each."""

from .exact_resume_hook import ExactResumeHook
from .fit_to_dataset_hook import FitToDatasetHook, longest_queue
from .progress_hook import ProgressBarHook
from .swav_queue_hook import SwAVQueueHook
from .teacher_hook import TeacherHook
from .unreadable_hook import UnreadableImagesHook

__all__ = [
    'ExactResumeHook',
    'FitToDatasetHook',
    'ProgressBarHook',
    'SwAVQueueHook',
    'TeacherHook',
    'UnreadableImagesHook',
    'longest_queue',
]
