# Drawn scenes of 128 pixels (tools/datasets/draw_scenes.py) on two CPU cores, in two to three minutes.
_base_ = [
    '../_base_/backbones/r18.py',
    '../_base_/models/bit.py',
    '../_base_/datasets/cdd_256.py',
    '../_base_/change_runtime.py',
    '../_base_/schedules/change_200e_adamw.py',
]
data_root = 'data/scenes/change'
# Scenes differ enough in light; crops would cut the few changes out.
train_pipeline = [*_base_.load, *_base_.noise[:3], _base_.pack]
train_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
test_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
model = dict(backbone=_base_.backbone, decode_head=dict(in_channels=_base_.channels[2]))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_epochs=8)
default_hooks = dict(logger=dict(interval=10))
