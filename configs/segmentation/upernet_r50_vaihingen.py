_base_ = [
    '../_base_/backbones/r50.py',
    '../_base_/models/upernet.py',
    '../_base_/datasets/vaihingen_512.py',
    '../_base_/schedules/segmentation_50e.py',
    '../_base_/segmentation_runtime.py',
]
model = dict(
    backbone=_base_.backbone,
    decode_head=dict(in_channels=_base_.channels),
    auxiliary_head=dict(in_channels=_base_.channels[2]),
)
