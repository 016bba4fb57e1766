# Masked blocks of 16 pixels: 22 of 36 in a view of 96 pixels, instead of 6 of 9.
_base_ = '../../../configs/cmid/cmid_r18_ucmerced.py'
crop, flip, mask = _base_.crop_and_mask
crop_and_mask = [crop, flip, dict(mask, block_size=16)]
load, _, pack = _base_.train_pipeline
train_pipeline = [load, dict(type='TwoViews', views=[crop_and_mask, [*crop_and_mask, *_base_.photometric_noise]]), pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
