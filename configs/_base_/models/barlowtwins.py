model = dict(
    type='BarlowTwins',
    # Norms over all GPUs; mmengine makes them plain ones in a single process.
    backbone=dict(type='ResNet', depth=50, norm_cfg=dict(type='SyncBN'), zero_init_residual=True),
    neck=dict(
        type='NonLinearNeck',
        in_channels=2048,
        hid_channels=8192,
        out_channels=8192,
        num_layers=3,
        with_last_bn=False,
        with_last_bn_affine=False,
        with_avg_pool=True,
        init_cfg=dict(type='Kaiming', distribution='uniform', layer=['Linear']),
    ),
    head=dict(
        type='LatentCrossCorrelationHead', in_channels=8192, loss=dict(type='CrossCorrelationLoss', lambd=0.0051)
    ),
)
