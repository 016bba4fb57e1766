# What `make demo` and tools/benchmark/learning.py run in minutes on two CPU cores.
_base_ = './cmid_r18_ucmerced.py'

# Milder noise than the recipe's: in minutes, colours are most of what a network can learn.
photometric_noise = [
    dict(type='RandomColorJitter', brightness=0.2, contrast=0.2, saturation=0.1, hue=0.02, prob=0.8),
    dict(type='RandomGaussianBlur', kernel_range=(3, 7), sigma_range=(0.1, 2.0), prob=0.5),
]
train_pipeline = [
    _base_.train_pipeline[0],
    dict(type='TwoViews', views=[_base_.crop_and_mask, [*_base_.crop_and_mask, *photometric_noise]]),
    _base_.train_pipeline[2],
]
train_dataloader = dict(batch_size=32, num_workers=1, dataset=dict(pipeline=train_pipeline))
# The recipe's rate goes with its ten epochs of warm-up; without them the rank of the features falls.
optim_wrapper = dict(optimizer=dict(lr=4e-4))
auto_scale_lr = dict(base_batch_size=32)
model = dict(local_head=dict(loss=dict(warmup_epochs=3)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=1, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=8)
default_hooks = dict(logger=dict(interval=10))
