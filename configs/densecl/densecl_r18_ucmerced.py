# One small GPU or a patient CPU: ResNet-18 at 96 pixels, batch 64.
_base_ = [
    '../_base_/models/densecl.py',
    '../_base_/datasets/contrastive_views_96.py',
    '../_base_/schedules/sgd_200e.py',
    '../_base_/densecl_runtime.py',
]
# UC Merced has 2100 images: queues of half of them.
model = dict(backbone=dict(depth=18), neck=dict(in_channels=512, hid_channels=512), queue_len=1024)
train_dataloader = dict(batch_size=64, num_workers=2, dataset=dict(data_root='data/ucmerced'))
# The square-root rule from 0.03 at batch 256, as in byol_r18_ucmerced.py.
optim_wrapper = dict(optimizer=dict(lr=0.015))
auto_scale_lr = dict(base_batch_size=64)
