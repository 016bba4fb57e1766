"""Hooks, one concern each."""

from .data_worker_hook import DataWorkerError, DataWorkerHook
from .exact_resume_hook import ExactResumeHook
from .fit_to_dataset_hook import FitToDatasetHook, longest_queue
from .health_hook import HealthHook
from .monitor_hook import MonitorHook
from .non_finite_hook import NonFiniteHook
from .online_knn_hook import OnlineKNNHook
from .preemption_hook import PreemptionHook
from .progress_hook import ProgressBarHook
from .run_record_hook import RunRecordHook
from .swav_queue_hook import SwAVQueueHook
from .teacher_hook import TeacherHook
from .unreadable_hook import UnreadableImagesHook
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = [
    'DataWorkerError',
    'DataWorkerHook',
    'ExactResumeHook',
    'FitToDatasetHook',
    'HealthHook',
    'MonitorHook',
    'NonFiniteHook',
    'OnlineKNNHook',
    'PreemptionHook',
    'ProgressBarHook',
    'RunRecordHook',
    'SwAVQueueHook',
    'TeacherHook',
    'UnreadableImagesHook',
    'WholeCheckpointHook',
    'longest_queue',
]
