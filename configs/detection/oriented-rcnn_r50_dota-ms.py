# Tiles of three scales (tools/datasets/prepare_dota.py), turned by any angle.
_base_ = './oriented-rcnn_r50_dota.py'

data_root = 'data/dota_ms'
train_pipeline = [
    *_base_.train_pipeline[:-1],
    # Storage tanks and roundabouts are round: their boxes are not turned with them, so tiles of them turn by 90 degrees.
    dict(type='RandomRotate', prob=0.5, angle_range=180, rect_obj_labels=[9, 11]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
