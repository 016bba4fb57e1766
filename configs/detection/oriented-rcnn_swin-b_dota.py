_base_ = [
    '../_base_/backbones/swin-b.py',
    '../_base_/models/oriented-rcnn.py',
    '../_base_/datasets/dota_1024.py',
    '../_base_/schedules/detection_12e_adamw.py',
    '../_base_/detection_runtime.py',
]
model = dict(backbone=_base_.backbone, neck=dict(in_channels=_base_.channels))
