# One small GPU or a patient CPU: ResNet-18 at 96 pixels, batch 64.
_base_ = [
    '../_base_/models/simclr.py',
    '../_base_/datasets/contrastive_views_96.py',
    '../_base_/schedules/lars_200e.py',
    '../_base_/rival_runtime.py',
]
model = dict(backbone=dict(depth=18), neck=dict(in_channels=512, hid_channels=512))
train_dataloader = dict(batch_size=64, num_workers=2, dataset=dict(data_root='data/ucmerced'))
# The square-root rule from 4.8 at batch 4096, as in byol_r18_ucmerced.py.
optim_wrapper = dict(optimizer=dict(lr=0.6))
auto_scale_lr = dict(base_batch_size=64)
