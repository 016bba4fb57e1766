_base_ = [
    '../_base_/backbones/r50.py',
    '../_base_/models/bit.py',
    '../_base_/datasets/levir-cd_256.py',
    '../_base_/change_runtime.py',
    '../_base_/schedules/change_200e.py',
]
model = dict(
    backbone=_base_.backbone,
    decode_head=dict(in_channels=_base_.channels[2]),
    # Whole pairs of 1024 pixels are tested in windows of the size of the training crops.
    test_cfg=dict(mode='slide', crop_size=_base_.size, stride=_base_.size),
)
