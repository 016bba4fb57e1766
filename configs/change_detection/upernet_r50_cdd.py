# Any head of mmsegmentation finds change in the absolute difference of the maps of both dates.
_base_ = [
    '../_base_/backbones/r50.py',
    '../_base_/models/upernet.py',
    '../_base_/datasets/cdd_256.py',
    '../_base_/change_runtime.py',
    '../_base_/schedules/change_200e.py',
]
model = dict(
    type='TwoDateEncoderDecoder',
    data_preprocessor=dict(type='PairDataPreprocessor', size=_base_.size),
    join=dict(type='AbsoluteDifference'),
    backbone=_base_.backbone,
    decode_head=dict(in_channels=_base_.channels, num_classes=2),
    auxiliary_head=dict(in_channels=_base_.channels[2], num_classes=2),
)
