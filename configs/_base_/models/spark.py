# Norms of each process alone, as CMID's. In a single process mmengine would replace mmpretrain's synchronised sparse
# norms (SparseSyncBatchNorm2d) by dense ones, whose statistics count the masked cells.
model = dict(
    type='SparK',
    input_size=224,
    downsample_raito=32,
    mask_ratio=0.6,
    enc_dec_norm_cfg=dict(type='SparseBatchNorm2d'),
    enc_dec_norm_dim=2048,
    backbone=dict(
        type='SparseResNet',
        depth=50,
        out_indices=(0, 1, 2, 3),
        norm_cfg=dict(type='SparseBatchNorm2d'),
        drop_path_rate=0.05,
    ),
    neck=dict(
        type='SparKLightDecoder',
        feature_dim=512,
        upsample_ratio=32,
        mid_channels=0,
        norm_cfg=dict(type='BN'),
        last_act=False,
    ),
    head=dict(type='SparKPretrainHead', loss=dict(type='PixelReconstructionLoss', criterion='L2')),
)
