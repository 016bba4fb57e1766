# Drawn scenes of 128 pixels (tools/datasets/draw_scenes.py) on two CPU cores, in minutes.
_base_ = [
    '../_base_/backbones/r18.py',
    '../_base_/models/classifier.py',
    '../_base_/datasets/scenes_classification.py',
    '../_base_/schedules/scenes_adamw.py',
    '../_base_/classification_runtime.py',
]
classes = _base_.num_scene_classes
model = dict(
    data_preprocessor=dict(num_classes=classes),
    backbone=_base_.backbone,
    head=dict(in_channels=_base_.channels[-1], num_classes=classes),
    train_cfg=None,  # minutes are too short for mixed images
)
default_hooks = dict(logger=dict(interval=5))
log_processor = dict(window_size=5)
