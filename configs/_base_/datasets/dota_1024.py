# DOTA-v1.0 in tiles of 1024 pixels, as tools/datasets/prepare_dota.py writes them. The labels of its test images are
# not published: scores are those of the training images, or DOTA's server's (oriented-rcnn_r50_dota-submission.py).
size = (1024, 1024)
data_root = 'data/dota'
load = dict(type='mmdet.LoadImageFromFile')
resize = dict(type='mmdet.Resize', scale=size, keep_ratio=True)
load_boxes = [
    dict(type='mmdet.LoadAnnotations', with_bbox=True, box_type='qbox'),
    dict(type='ConvertBoxType', box_type_mapping=dict(gt_bboxes='rbox')),
]
flip = dict(type='mmdet.RandomFlip', prob=0.75, direction=['horizontal', 'vertical', 'diagonal'])
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
pack = dict(type='mmdet.PackDetInputs', meta_keys=meta_keys)
train_pipeline = [load, *load_boxes, resize, flip, dict(type='mmdet.PackDetInputs')]
# Boxes are loaded after the image was resized: predictions are scored in the pixels of the file.
val_pipeline = [load, resize, *load_boxes, pack]
test_pipeline = [load, resize, pack]
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='OrientedBoxes',
        data_root=data_root,
        ann_file='trainval/labelTxt',
        data_prefix=dict(img_path='trainval/images'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='OrientedBoxes',
        data_root=data_root,
        ann_file='trainval/labelTxt',
        data_prefix=dict(img_path='trainval/images'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DOTAMetric', metric='mAP', iou_thrs=0.5)
test_evaluator = val_evaluator
