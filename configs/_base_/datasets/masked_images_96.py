# The view of masked_images_224.py at 96 pixels.
_base_ = './masked_images_224.py'
size = 96
train_pipeline = [
    dict(_base_.train_pipeline[0], crop_size=size),
    dict(_base_.train_pipeline[1], size=size),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
