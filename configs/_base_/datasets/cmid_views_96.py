# The two views of cmid_views_224.py at 96 pixels.
_base_ = './cmid_views_224.py'
size = 96
crop_and_mask = [
    dict(_base_.crop_and_mask[0], size=size),
    _base_.crop_and_mask[1],
    dict(_base_.crop_and_mask[2], size=size),
]
train_pipeline = [
    dict(_base_.train_pipeline[0], crop_size=size),
    dict(type='TwoViews', views=[crop_and_mask, [*crop_and_mask, *_base_.photometric_noise]]),
    _base_.train_pipeline[2],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
