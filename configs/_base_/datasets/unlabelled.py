# Images without labels, in one order and with one randomness for all methods; a file of views adds the pipeline. Mean
# and deviation, in 0-255, are those of CMID's released code, and of the tasks.
data_preprocessor = dict(type='ViewsDataPreprocessor', mean=[86.18235, 91.9275, 85.374], std=[34.6545, 34.476, 35.8785])
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='EpochSampler'),
    batch_sampler=dict(type='GlobalBatchSampler'),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='UnlabelledImages', data_root='data/images'),
)
