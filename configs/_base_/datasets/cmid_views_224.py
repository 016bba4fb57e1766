# Two views of each image (CMID, section IV-A). Mean and deviation are those of the released code, in 0-255.
size = 224
data_preprocessor = dict(type='ViewsDataPreprocessor', mean=[86.18235, 91.9275, 85.374], std=[34.6545, 34.476, 35.8785])
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
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='EpochSampler'),
    batch_sampler=dict(type='GlobalBatchSampler'),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='UnlabelledImages', data_root='data/images', pipeline=train_pipeline),
)
