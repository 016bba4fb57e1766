_base_ = './default_runtime.py'

default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1, save_best='accuracy/top1', rule='greater'),
    visualization=dict(type='VisualizationHook', enable=False),
)
sync_bn = 'torch'  # where there are several GPUs
val_cfg = dict()
test_cfg = dict()
