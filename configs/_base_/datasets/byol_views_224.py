# Two views of each image, one of them always blurred: BYOL's (Grill et al., NeurIPS 2020, appendix B), also for Barlow
# Twins, with two changes for images from above:
# - flips in both directions, and crops of a fifth of the image or more, as in contrastive_views_224.py: a scene of 256
#   pixels has little left in ImageNet's smallest crops, of 0.08;
# - no solarizing, which inverts the bright levels of a fifth of the second views: roofs and roads against shadows and
#   water are much of what tells land cover.
_base_ = './contrastive_views_224.py'
colours = [
    dict(type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, prob=0.8),
    dict(type='RandomToGray', prob=0.2),
]
blurs = [dict(_base_.photometric_noise[2], prob=1.0), dict(_base_.photometric_noise[2], prob=0.1)]
train_pipeline = [
    _base_.train_pipeline[0],
    dict(type='TwoViews', views=[[*_base_.crop_and_flip, *colours, blur] for blur in blurs]),
    _base_.train_pipeline[2],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
