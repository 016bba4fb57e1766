# The drawn scenes of tools/datasets/draw_scenes.py, 128 pixels, with masks of 15 classes.
_base_ = './potsdam_512.py'

size = (128, 128)
num_mask_classes = 15
metainfo = dict(
    classes=(
        *('background', 'low_vegetation', 'tree', 'farmland', 'water', 'road', 'building', 'car'),
        *('ship', 'plane', 'storage_tank', 'court', 'solar_panel', 'railway', 'train'),
    ),
    palette=[
        *([150, 120, 90], [140, 190, 100], [30, 110, 50], [220, 200, 90], [50, 110, 200]),
        *([120, 120, 125], [200, 60, 50], [250, 220, 40], [240, 240, 240], [250, 130, 200]),
        *([160, 90, 200], [240, 140, 60], [30, 30, 90], [90, 70, 70], [0, 200, 200]),
    ],
)
load = [dict(type='LoadImageFromFile'), dict(type='LoadLabelMap', num_classes=num_mask_classes)]
train_pipeline = [
    *load,
    dict(type='RandomResize', scale=size, ratio_range=(1.0, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=size),
    dict(type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']),
    dict(type='PackSegInputs'),
]
test_pipeline = [*load, dict(type='PackSegInputs')]
dataset = dict(type='SegmentationDataset', data_root='data/scenes/segmentation', metainfo=metainfo)
train_dataloader = dict(batch_size=16, num_workers=1, dataset=dict(dataset, pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, num_workers=1, dataset=dict(dataset, pipeline=test_pipeline))
test_dataloader = val_dataloader
