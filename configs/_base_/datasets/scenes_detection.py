# The drawn scenes of tools/datasets/draw_scenes.py. Most boxes are a few pixels wide, so images of 128 pixels are
# enlarged, and a step sees a part of each.
_base_ = './dota_1024.py'

size = (384, 384)
window_size = (128, 128)  # of the inferencer, in pixels of the files
crop_size = (192, 192)
classes = ('building', 'car', 'ship', 'plane', 'storage_tank', 'court', 'train')
resize = dict(_base_.resize, scale=size)
# Difficult boxes (cut off, hidden or tiny) are neither trained on nor counted.
scenes = dict(data_root='data/scenes/detection', metainfo=dict(classes=classes), diff_thr=0)
train_pipeline = [
    _base_.load,
    *_base_.load_boxes,
    resize,
    dict(type='mmdet.RandomCrop', crop_size=crop_size),
    _base_.flip,
    dict(type='mmdet.PackDetInputs'),
]
val_pipeline = [_base_.load, resize, *_base_.load_boxes, _base_.pack]
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        ann_file='train/labelTxt', data_prefix=dict(img_path='train/images'), pipeline=train_pipeline, **scenes
    ),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(ann_file='val/labelTxt', data_prefix=dict(img_path='val/images'), pipeline=val_pipeline, **scenes),
)
test_dataloader = val_dataloader
