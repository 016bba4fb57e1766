# SimCLR's views at 128 pixels.
_base_ = '../../../configs/simclr/simclr_r18_ucmerced.py'
size = 128
crop, flip = _base_.crop_and_flip
load, _, pack = _base_.train_pipeline
train_pipeline = [
    dict(load, crop_size=size),
    dict(type='TwoViews', views=[[dict(crop, size=size), flip, *_base_.photometric_noise]] * 2),
    pack,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
