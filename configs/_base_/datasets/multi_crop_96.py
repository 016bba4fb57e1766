# The views of multi_crop_224.py at 96 and 48 pixels.
_base_ = './multi_crop_224.py'
size, small_size = 96, 48
large_crop = dict(_base_.large_crop, size=size, stride=size)
small_crop = dict(_base_.small_crop, size=small_size, stride=small_size)
train_pipeline = [
    dict(_base_.train_pipeline[0], crop_size=size),
    dict(
        type='TwoViews',
        views=[[large_crop, *_base_.noise]] * _base_.num_crops[0] + [[small_crop, *_base_.noise]] * _base_.num_crops[1],
    ),
    _base_.train_pipeline[2],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
