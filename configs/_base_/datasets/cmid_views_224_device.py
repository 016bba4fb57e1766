# The two views of cmid_views_224.py, their photometric noise computed on the device: workers only draw it.
_base_ = './cmid_views_224.py'
data_preprocessor = dict(type='PhotometricDataPreprocessor')
train_pipeline = [
    _base_.train_pipeline[0],
    dict(
        type='TwoViews',
        views=[
            [*_base_.crop_and_mask, dict(type='DrawPhotometricNoise', steps=[])],
            [*_base_.crop_and_mask, dict(type='DrawPhotometricNoise', steps=_base_.photometric_noise)],
        ],
    ),
    dict(type='PackInputs', algorithm_keys=('mask', 'masked_cells', 'cell_positions', 'noise')),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
