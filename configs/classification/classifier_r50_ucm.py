_base_ = [
    '../_base_/backbones/r50.py',
    '../_base_/models/classifier.py',
    '../_base_/datasets/ucm_224.py',
    '../_base_/schedules/classification_200e.py',
    '../_base_/classification_runtime.py',
]
model = dict(backbone=_base_.backbone, head=dict(in_channels=_base_.channels[-1]))
