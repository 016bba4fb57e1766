# CMID spec, section 7: 12 epochs with steps at 8 and 11; SGD for ResNets at two images a step.
train_cfg = dict(by_epoch=True, max_epochs=12, val_interval=12)
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', milestones=[8, 11], gamma=0.1, by_epoch=True, begin=0, end=12),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=35),
)
auto_scale_lr = dict(base_batch_size=2)
