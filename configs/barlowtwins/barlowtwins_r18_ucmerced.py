# One small GPU or a patient CPU: ResNet-18 at 96 pixels.
_base_ = [
    '../_base_/models/barlowtwins.py',
    '../_base_/datasets/byol_views_96.py',
    '../_base_/schedules/barlowtwins_200e.py',
    '../_base_/rival_runtime.py',
]
# The cross-correlation of 8192 values is 256 MB; 2048 values do for one GPU.
model = dict(
    backbone=dict(depth=18),
    neck=dict(in_channels=512, hid_channels=2048, out_channels=2048),
    head=dict(in_channels=2048),
)
# Fewer than 128 images estimate the cross-correlation badly.
train_dataloader = dict(batch_size=128, num_workers=2, dataset=dict(data_root='data/ucmerced'))
# The square-root rule from 1.6 at batch 2048, as in byol_r18_ucmerced.py.
optim_wrapper = dict(optimizer=dict(lr=0.4))
auto_scale_lr = dict(base_batch_size=128)
