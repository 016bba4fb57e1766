# CMID on MoCo v2's crops and colours, masked, both views alike.
_base_ = '../../../configs/cmid/cmid_r18_ucmerced.py'
crop, flip, mask = _base_.crop_and_mask
view = [
    dict(crop, crop_ratio_range=(0.2, 1.0)),
    flip,
    mask,
    dict(type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8),
    dict(type='RandomToGray', prob=0.2),
    dict(type='RandomGaussianBlur', kernel_range=(3, 7), sigma_range=(0.1, 2.0), prob=0.5),
]
load, _, pack = _base_.train_pipeline
train_pipeline = [dict(load, min_area=0.2), dict(type='TwoViews', views=[view, view]), pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
