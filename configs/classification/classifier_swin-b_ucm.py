_base_ = [
    '../_base_/backbones/swin-b.py',
    '../_base_/models/classifier.py',
    '../_base_/datasets/ucm_224.py',
    '../_base_/schedules/classification_200e.py',
    '../_base_/classification_runtime.py',
]
model = dict(
    # The last map alone, so that every weight takes part.
    backbone=dict(_base_.backbone, out_indices=(3,), drop_path_rate=0.5),
    head=dict(in_channels=_base_.channels[-1]),
)
