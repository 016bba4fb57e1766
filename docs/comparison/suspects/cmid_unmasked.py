# CMID's views without masks, and so without the reconstruction.
_base_ = '../../../configs/cmid/cmid_r18_ucmerced.py'
model = dict(reconstruction_head=None)
crop, flip, mask = _base_.crop_and_mask
crop_and_mask = [crop, flip, dict(mask, ratio=0.0)]
load, _, pack = _base_.train_pipeline
train_pipeline = [load, dict(type='TwoViews', views=[crop_and_mask, [*crop_and_mask, *_base_.photometric_noise]]), pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
