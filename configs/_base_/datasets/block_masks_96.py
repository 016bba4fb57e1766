# The view and mask of block_masks_224.py at 96 pixels; blocks of 16 make it about as fine, 6 by 6 instead of 7 by 7.
_base_ = './block_masks_224.py'
size = 96
train_pipeline = [
    dict(_base_.train_pipeline[0], crop_size=size),
    dict(_base_.train_pipeline[1], size=size),
    _base_.train_pipeline[2],
    dict(_base_.train_pipeline[3], size=size, block_size=16),
    _base_.train_pipeline[4],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
