# Drawn scenes of 128 pixels (tools/datasets/draw_scenes.py) on two CPU cores, in minutes: a thin UPerNet.
_base_ = [
    '../_base_/backbones/r18.py',
    '../_base_/models/upernet.py',
    '../_base_/datasets/scenes_segmentation.py',
    '../_base_/schedules/scenes_adamw.py',
    '../_base_/segmentation_runtime.py',
]
classes = _base_.num_mask_classes
model = dict(
    data_preprocessor=dict(size=_base_.size),
    backbone=_base_.backbone,
    decode_head=dict(in_channels=_base_.channels, channels=64, num_classes=classes),
    auxiliary_head=dict(in_channels=_base_.channels[2], channels=64, num_classes=classes),
)
default_hooks = dict(logger=dict(interval=5))
log_processor = dict(window_size=5)
