# Two large and six small views of each image (SwAV, Caron et al., NeurIPS 2020, section 3.2 and appendix A).
_base_ = './unlabelled.py'
size, small_size = 224, 96
num_crops = [2, 6]
# One cell a view (stride = size), so that the positions, which nobody reads here, have one shape in views of two sizes.
large_crop = dict(type='RandomResizedCropWithPositions', size=size, stride=size, crop_ratio_range=(0.14, 1.0))
small_crop = dict(
    type='RandomResizedCropWithPositions', size=small_size, stride=small_size, crop_ratio_range=(0.05, 0.14)
)
noise = [
    # As in contrastive_views_224.py: an image from above has no top.
    dict(type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']),
    # Half the strength of SwAV's own jitter, as in contrastive_views_224.py: colours tell land cover.
    dict(type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8),
    dict(type='RandomToGray', prob=0.2),
    dict(type='RandomGaussianBlur', kernel_range=(13, 13), sigma_range=(0.1, 2.0), prob=0.5),
]
train_pipeline = [
    # The large crops ask for more pixels: 0.14 of an image on 224 pixels rather than 0.05 on 96.
    dict(type='LoadAerialImage', crop_size=size, min_area=0.14),
    dict(type='TwoViews', views=[[large_crop, *noise]] * num_crops[0] + [[small_crop, *noise]] * num_crops[1]),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
