_base_ = './default_runtime.py'

custom_hooks = [
    dict(type='ExactResumeHook'),
    dict(type='TeacherHook'),
    dict(type='UnreadableImagesHook'),
]
