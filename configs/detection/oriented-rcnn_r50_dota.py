_base_ = [
    '../_base_/backbones/r50.py',
    '../_base_/models/oriented-rcnn.py',
    '../_base_/datasets/dota_1024.py',
    '../_base_/schedules/detection_12e.py',
    '../_base_/detection_runtime.py',
]
model = dict(
    # The stem and the first stage keep their weights, every batch norm its statistics.
    backbone=dict(_base_.backbone, frozen_stages=1, norm_eval=True),
    neck=dict(in_channels=_base_.channels),
)
