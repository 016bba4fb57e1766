# One view of each image, whose mask the model draws: MAE (He et al., CVPR 2022, appendix A) and SparK.
_base_ = './unlabelled.py'
size = 224
# mmpretrain's algorithms of one view take a batch of images, not a list of views.
data_preprocessor = dict(type='SelfSupDataPreprocessor', non_blocking=True)
train_pipeline = [
    dict(type='LoadAerialImage', crop_size=size, min_area=0.2),
    dict(type='RandomResizedCropWithPositions', size=size, crop_ratio_range=(0.2, 1.0)),
    # ImageNet's images are mirrored left to right; an image from above has no top either.
    dict(type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
