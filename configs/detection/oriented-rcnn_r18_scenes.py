# A few minutes on two CPU cores: a thin Oriented R-CNN whose smallest anchors fit a car of 6 x 3 pixels, enlarged.
_base_ = [
    '../_base_/backbones/r18.py',
    '../_base_/models/oriented-rcnn.py',
    '../_base_/datasets/scenes_detection.py',
    '../_base_/detection_runtime.py',
]
channels = 64
strides = [4, 8, 16, 32]
proposals = dict(nms_pre=300, max_per_img=300)
model = dict(
    backbone=_base_.backbone,
    neck=dict(in_channels=_base_.channels, out_channels=channels, num_outs=4),
    rpn_head=dict(in_channels=channels, feat_channels=channels, anchor_generator=dict(scales=[4], strides=strides)),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=channels, finest_scale=28),
        bbox_head=dict(in_channels=channels, fc_out_channels=256, num_classes=len(_base_.classes)),
    ),
    train_cfg=dict(rpn_proposal=proposals, rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=proposals, rcnn=dict(max_per_img=300)),
)
max_epochs = 6
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=0, end=max_epochs, convert_to_iter_based=True),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    constructor='DecayGroupsConstructor',  # no decay of biases and norm weights
    clip_grad=dict(max_norm=35),
)
default_hooks = dict(logger=dict(interval=10))
