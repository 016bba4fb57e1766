model = dict(
    type='MoCo',
    # A multiple of the batch of all processes, and no more than the images of the data set, or the queue would hold
    # several keys of one image, each a negative of the others: FitToDatasetHook refuses such lengths.
    queue_len=65536,
    feat_dim=128,
    momentum=0.001,  # the share of the new weights, in mmengine's way of counting: the key encoder keeps 0.999
    backbone=dict(type='ResNet', depth=50, norm_cfg=dict(type='BN'), zero_init_residual=False),
    neck=dict(type='MoCoV2Neck', in_channels=2048, hid_channels=2048, out_channels=128, with_avg_pool=True),
    head=dict(type='ContrastiveHead', loss=dict(type='CrossEntropyLoss'), temperature=0.2),
)
