# 2e-4 for each 512 images of a batch, decay rising from 0.04 to 0.2 (Tian et al., ICLR 2023, section 4); the epochs are
# CMID's.
optim_wrapper = dict(
    optimizer=dict(type='Lamb', lr=2e-4, betas=(0.9, 0.95), weight_decay=0.04),
    clip_grad=dict(max_norm=5.0),
    paramwise_cfg=dict(bias_decay_mult=0.0, flat_decay_mult=0.0, custom_keys={'mask_token': dict(decay_mult=0.0)}),
)
auto_scale_lr = dict(base_batch_size=512)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=True, begin=0, end=10, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=10, convert_to_iter_based=True),
    dict(type='CosineAnnealingWeightDecay', eta_min=0.2, by_epoch=True, begin=0, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=200)
