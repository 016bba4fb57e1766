# One small GPU or a patient CPU: Swin-T at 96 pixels, batch 64.
_base_ = [
    '../_base_/backbones/swin-t_96.py',
    '../_base_/models/simclr.py',
    '../_base_/datasets/contrastive_views_96.py',
    '../_base_/schedules/adamw_200e.py',
    '../_base_/rival_runtime.py',
]
model = dict(
    backbone=dict(_base_.swin_t_96, _delete_=True, type='SwinTransformer'),
    neck=dict(in_channels=768, hid_channels=768),
)
train_dataloader = dict(batch_size=64, num_workers=2, dataset=dict(data_root='data/ucmerced'))
# The square-root rule from 1e-3 at batch 512, as in byol_r18_ucmerced.py.
optim_wrapper = dict(optimizer=dict(lr=3.5e-4))
auto_scale_lr = dict(base_batch_size=64)
