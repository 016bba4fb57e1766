# Two views of each image (CMID, section IV-A).
_base_ = './unlabelled.py'
size = 224
crop_and_mask = [
    dict(type='RandomResizedCropWithPositions', size=size, crop_ratio_range=(0.3, 1.0)),
    dict(type='RandomFlipWithPositions', prob=0.5),
    dict(type='BlockMask', size=size, block_size=32, patch_size=4, ratio=0.6),
]
photometric_noise = [
    dict(type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, prob=0.8),
    dict(type='RandomGaussianBlur', kernel_range=(3, 7), sigma_range=(0.1, 2.0), prob=1.0),
    dict(type='RandomGaussianNoise', variance_range=(10, 50), prob=0.6),
    dict(type='Solarize', thr=128, prob=0.2),
    dict(type='RandomToGray', prob=0.2),
]
train_pipeline = [
    dict(type='LoadAerialImage', crop_size=size, min_area=0.3),
    dict(type='TwoViews', views=[crop_and_mask, [*crop_and_mask, *photometric_noise]]),
    dict(type='PackInputs', algorithm_keys=('mask', 'masked_cells', 'cell_positions')),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
