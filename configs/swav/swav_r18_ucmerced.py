# One small GPU or a patient CPU: ResNet-18, two views of 96 pixels and six of 48, batch 64.
_base_ = [
    '../_base_/models/swav.py',
    '../_base_/datasets/multi_crop_96.py',
    '../_base_/schedules/swav_200e.py',
    '../_base_/swav_runtime.py',
]
model = dict(
    backbone=dict(depth=18),
    neck=dict(in_channels=512, hid_channels=512),
    # ImageNet has 3000 prototypes, three for each class; 128 are six for each class of UC Merced.
    head=dict(loss=dict(num_prototypes=128)),
)
train_dataloader = dict(batch_size=64, num_workers=2, dataset=dict(data_root='data/ucmerced'))
# The square-root rule from 0.6 at batch 256, as in byol_r18_ucmerced.py.
optim_wrapper = dict(optimizer=dict(lr=0.3))
auto_scale_lr = dict(base_batch_size=64)
# UC Merced has 2100 images: a queue of a fourth of them.
custom_hooks = [*_base_.custom_hooks[:-1], dict(_base_.custom_hooks[-1], queue_length=512)]
