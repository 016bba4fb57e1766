# Segmentation, and change detection by a segmentor of two dates.
_base_ = './default_runtime.py'

default_scope = 'mmseg'
custom_imports = dict(imports=['cmid_mm', 'cmid_mm.with_mmseg'])
default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1, save_best='mIoU', rule='greater'),
    visualization=dict(type='SegVisualizationHook'),
)
sync_bn = 'torch'  # where there are several GPUs
visualizer = dict(_delete_=True, type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
