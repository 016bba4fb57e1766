# The two views of byol_views_224.py at 96 pixels.
_base_ = './byol_views_224.py'
size = 96
crop_and_flip = [dict(_base_.crop_and_flip[0], size=size), _base_.crop_and_flip[1]]
train_pipeline = [
    dict(_base_.train_pipeline[0], crop_size=size),
    dict(type='TwoViews', views=[[*crop_and_flip, *_base_.colours, blur] for blur in _base_.blurs]),
    _base_.train_pipeline[2],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
