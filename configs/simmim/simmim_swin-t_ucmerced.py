# One small GPU or a patient CPU: Swin-T at 96 pixels, batch 64.
_base_ = [
    '../_base_/backbones/swin-t_96.py',
    '../_base_/models/simmim.py',
    '../_base_/datasets/block_masks_96.py',
    '../_base_/schedules/simmim_200e.py',
    '../_base_/rival_runtime.py',
]
model = dict(
    backbone=_base_.swin_t_96,
    neck=dict(in_channels=768),
)
train_dataloader = dict(batch_size=64, num_workers=2, dataset=dict(data_root='data/ucmerced'))
# The square-root rule from 8e-4 at batch 2048, as in byol_r18_ucmerced.py.
optim_wrapper = dict(optimizer=dict(lr=1.4e-4))
auto_scale_lr = dict(base_batch_size=64)
