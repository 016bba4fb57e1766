_base_ = './default_runtime.py'

# Beside those of default_runtime.py; docs/monitoring.md.
default_hooks = dict(
    monitor=dict(type='MonitorHook'), health=dict(type='HealthHook'), non_finite=dict(type='NonFiniteHook')
)
custom_hooks = [
    dict(type='ExactResumeHook'),
    dict(type='TeacherHook'),
    dict(type='UnreadableImagesHook'),
]
