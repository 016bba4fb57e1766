_base_ = [
    '../_base_/backbones/r50.py',
    '../_base_/models/bit.py',
    '../_base_/datasets/cdd_256.py',
    '../_base_/change_runtime.py',
    '../_base_/schedules/change_200e.py',
]
model = dict(backbone=_base_.backbone, decode_head=dict(in_channels=_base_.channels[2]))
