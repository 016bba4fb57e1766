# One view of each image and its mask: SimMIM (Xie et al., CVPR 2022, section 4.1), at 224 pixels as every other method;
# its own 192 pixels ask for windows of 6, see ../models/simmim.py.
_base_ = './masked_images_224.py'
size = 224
train_pipeline = [
    dict(_base_.train_pipeline[0], min_area=0.67),
    dict(_base_.train_pipeline[1], crop_ratio_range=(0.67, 1.0)),
    _base_.train_pipeline[2],
    dict(type='BlockMask', size=size, block_size=32, patch_size=4, ratio=0.6),
    _base_.train_pipeline[3],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
