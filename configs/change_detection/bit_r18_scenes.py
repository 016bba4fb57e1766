# Drawn scenes of 128 pixels (tools/datasets/draw_scenes.py) on two CPU cores, in minutes.
_base_ = [
    '../_base_/backbones/r18.py',
    '../_base_/models/bit.py',
    '../_base_/datasets/cdd_256.py',
    '../_base_/schedules/scenes_adamw.py',
    '../_base_/change_runtime.py',
]
data_root = 'data/scenes/change'
window_size = (128, 128)  # of the inferencer; no crop or resize tells it
# The light of the two dates differs by drawing.
train_pipeline = [*_base_.load, *_base_.noise[:3], _base_.pack]
train_dataloader = dict(batch_size=4, num_workers=1, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
test_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
model = dict(
    backbone=_base_.backbone,
    decode_head=dict(
        # Scenes have half the side of CDD's pairs, and changes of 30 pixels that the third map does not resolve.
        in_index=1,
        stride=8,
        in_channels=_base_.channels[1],
        # One pixel in twenty changes: in minutes, unweighted cross entropy learns to say that none does.
        loss_decode=dict(class_weight=[1.0, 8.0], avg_non_ignore=False),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=3e-4))
auto_scale_lr = dict(base_batch_size=4)
train_cfg = dict(max_epochs=1, val_interval=1)
default_hooks = dict(logger=dict(interval=10))
