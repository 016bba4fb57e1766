# Swin-B at 224 pixels with windows of 7, as in CMID and in every task here. SimMIM's own 192 pixels and windows of 6
# would leave position biases of 121 values a head, where tasks have 169, and mmpretrain's resizing of them calls a
# function that SciPy removed in 1.14.
model = dict(
    type='SimMIM',
    backbone=dict(
        type='SimMIMSwinTransformer',
        arch='base',
        img_size=224,
        drop_path_rate=0.0,
        stage_cfgs=dict(block_cfgs=dict(window_size=7)),
    ),
    neck=dict(type='SimMIMLinearDecoder', in_channels=1024, encoder_stride=32),
    head=dict(type='SimMIMHead', patch_size=4, loss=dict(type='PixelReconstructionLoss', criterion='L1', channel=3)),
)
