# Views of 128 pixels: 16 cells each, of which 7 are matched, as 4 of 9 are at 96.
_base_ = '../../../configs/cmid/cmid_r18_ucmerced.py'
size = 128
crop, flip, mask = _base_.crop_and_mask
crop_and_mask = [dict(crop, size=size), flip, dict(mask, size=size)]
load, _, pack = _base_.train_pipeline
train_pipeline = [
    dict(load, crop_size=size),
    dict(type='TwoViews', views=[crop_and_mask, [*crop_and_mask, *_base_.photometric_noise]]),
    pack,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(local_head=dict(num_matches=7))
