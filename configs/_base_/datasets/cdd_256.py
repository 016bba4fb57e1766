# CDD (Lebedev et al., 2018): pairs of 256 pixels, as tools/datasets/prepare_cdd.py writes them.
size = (256, 256)
# Folders of masks of 0 and 1 and of 0 and 255 both load.
load = [dict(type='LoadImagePair'), dict(type='LoadLabelMap', num_classes=2, mapping={255: 1})]
pack = dict(
    type='PackSegInputs',
    meta_keys=('img_path', 'img_path2', 'seg_map_path', 'ori_shape', 'img_shape', 'reduce_zero_label'),
)
noise = [
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='SwapDates', prob=0.5),
    dict(type='EachDate', transforms=[dict(type='PhotoMetricDistortion')]),
]
train_pipeline = [
    *load,
    dict(type='RandomResize', scale=size, ratio_range=(1.0, 1.2), keep_ratio=True),
    dict(type='RandomCrop', crop_size=size),
    *noise,
    pack,
]
test_pipeline = [*load, pack]
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ChangeDataset',
        data_root='data/cdd',
        data_prefix=dict(img_path='train/A', img_path2='train/B', seg_map_path='train/OUT'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ChangeDataset',
        data_root='data/cdd',
        data_prefix=dict(img_path='val/A', img_path2='val/B', seg_map_path='val/OUT'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    val_dataloader,
    dataset=dict(
        val_dataloader['dataset'], data_prefix=dict(img_path='test/A', img_path2='test/B', seg_map_path='test/OUT')
    ),
)
val_evaluator = dict(type='ChangeMetric')
test_evaluator = val_evaluator
