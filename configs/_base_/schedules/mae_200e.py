# 1.5e-4 for each 256 images of a batch, here 2048 (He et al., CVPR 2022, appendix A); the epochs are CMID's.
_base_ = './adamw_200e.py'

optim_wrapper = dict(optimizer=dict(lr=1.2e-3, betas=(0.9, 0.95)))
auto_scale_lr = dict(base_batch_size=2048)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=True, begin=0, end=20, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=20, convert_to_iter_based=True),
]
