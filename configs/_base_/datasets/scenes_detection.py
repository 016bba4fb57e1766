# The drawn scenes of tools/datasets/draw_scenes.py, 128 pixels and enlarged twice. Cars, ships and trains are three
# pixels wide there, which no box head of minutes tells from the ground; draw larger scenes to learn them.
_base_ = './dota_1024.py'

size = (256, 256)
window_size = (128, 128)  # of the inferencer, in pixels of the files
classes = ('building', 'plane', 'storage_tank', 'court')
resize = dict(_base_.resize, scale=size)
# Difficult boxes (cut off, hidden or tiny) are neither trained on nor counted.
scenes = dict(
    data_root='data/scenes/detection', metainfo=dict(classes=classes), left_out=('car', 'ship', 'train'), diff_thr=0
)
train_pipeline = [_base_.load, *_base_.load_boxes, resize, _base_.flip, dict(type='mmdet.PackDetInputs')]
val_pipeline = [_base_.load, resize, *_base_.load_boxes, _base_.pack]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        ann_file='train/labelTxt', data_prefix=dict(img_path='train/images'), pipeline=train_pipeline, **scenes
    ),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(ann_file='val/labelTxt', data_prefix=dict(img_path='val/images'), pipeline=val_pipeline, **scenes),
)
test_dataloader = val_dataloader
