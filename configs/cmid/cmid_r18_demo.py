# What `make demo` runs on two CPU cores in minutes.
_base_ = './cmid_r18_ucmerced.py'

train_dataloader = dict(batch_size=32, num_workers=1)
optim_wrapper = dict(optimizer=dict(lr=1.4e-3))
auto_scale_lr = dict(base_batch_size=32)
model = dict(local_head=dict(loss=dict(warmup_epochs=3)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=1, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=8)
default_hooks = dict(logger=dict(interval=10))
