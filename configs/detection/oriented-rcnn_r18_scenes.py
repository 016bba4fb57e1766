# Drawn scenes of 128 pixels (tools/datasets/draw_scenes.py) on two CPU cores, in minutes: a thin Oriented R-CNN.
_base_ = [
    '../_base_/backbones/r18.py',
    '../_base_/models/oriented-rcnn.py',
    '../_base_/datasets/scenes_detection.py',
    '../_base_/schedules/scenes_adamw.py',
    '../_base_/detection_runtime.py',
]
channels = 64
strides = [4, 8, 16, 32]
proposals = dict(nms_pre=300, max_per_img=300)
model = dict(
    backbone=_base_.backbone,
    neck=dict(in_channels=_base_.channels, out_channels=channels, num_outs=4),
    rpn_head=dict(in_channels=channels, feat_channels=channels, anchor_generator=dict(scales=[6], strides=strides)),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=channels, finest_scale=28),
        bbox_head=dict(in_channels=channels, fc_out_channels=256, num_classes=len(_base_.classes)),
    ),
    # At 0.7, few anchors fit a small box.
    train_cfg=dict(rpn=dict(assigner=dict(pos_iou_thr=0.5)), rpn_proposal=proposals, rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=proposals, rcnn=dict(max_per_img=300)),
)
# One rate for all: in minutes, the backbone has as far to go as the heads.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=1.0))),
    clip_grad=dict(max_norm=35),
)
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(logger=dict(interval=10))
