# Detection of oriented boxes in mmrotate.
_base_ = './default_runtime.py'

default_scope = 'mmrotate'
custom_imports = dict(imports=['cmid_mm', 'cmid_mm.with_mmrotate'])
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1),
    visualization=dict(type='mmdet.DetVisualizationHook'),
)
# Stops where the box head has another number of classes than the data.
custom_hooks = [dict(type='mmdet.NumClassCheckHook')]
visualizer = dict(_delete_=True, type='RotLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
