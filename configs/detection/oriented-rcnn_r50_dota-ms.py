# Tiles of three scales (tools/datasets/prepare_dota.py), turned by any angle.
_base_ = './oriented-rcnn_r50_dota.py'

data_root = 'data/dota_ms'
train_pipeline = [
    *_base_.train_pipeline[:-1],
    # Storage tanks (9) and roundabouts (11) have upright boxes, so tiles that show them turn by right angles only.
    dict(type='RandomRotate', prob=0.5, angle_range=180, rect_obj_labels=[9, 11]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
