# Two views of each image, drawn alike: MoCo-v2's (Chen et al., 2020, section 3) for MoCo-v2, DenseCL and SimCLR.
_base_ = './unlabelled.py'
size = 224
crop_and_flip = [
    dict(type='RandomResizedCropWithPositions', size=size, crop_ratio_range=(0.2, 1.0)),
    # ImageNet's views are mirrored left to right; an image from above has no top either.
    dict(type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']),
]
photometric_noise = [
    dict(type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8),
    dict(type='RandomToGray', prob=0.2),
    # 13 pixels hold three deviations of the widest blur.
    dict(type='RandomGaussianBlur', kernel_range=(13, 13), sigma_range=(0.1, 2.0), prob=0.5),
]
train_pipeline = [
    dict(type='LoadAerialImage', crop_size=size, min_area=0.2),
    dict(type='TwoViews', views=[[*crop_and_flip, *photometric_noise]] * 2),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
