# For mmpretrain's own algorithms, which move their momentum encoders themselves: no TeacherHook.
_base_ = './default_runtime.py'

custom_hooks = [
    dict(type='ExactResumeHook'),
    dict(type='FitToDatasetHook'),
    dict(type='UnreadableImagesHook'),
]
