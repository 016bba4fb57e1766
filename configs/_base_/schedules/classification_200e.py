# 200 epochs of batch 16: Adan, 5 epochs of warm-up, cosine.
optim_wrapper = dict(
    optimizer=dict(type='Adan', lr=3.125e-3, betas=(0.98, 0.92, 0.99), eps=1e-8, weight_decay=0.02),
    constructor='DecayGroupsConstructor',  # no decay of biases and norm weights
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=5, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=1)
