# BIT on the third map (Chen et al., TGRS 2021; CMID, section IV-F); a config gives it a backbone and its channels.
norm = dict(type='BN', requires_grad=True)
model = dict(
    type='TwoDateEncoderDecoder',
    data_preprocessor=dict(
        type='PairDataPreprocessor',
        mean=[86.18235, 91.9275, 85.374],
        std=[34.6545, 34.476, 35.8785],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size_divisor=1,  # pads only where the images of a batch differ in size
    ),
    join=dict(type='KeepDates'),
    decode_head=dict(
        type='BITHead',
        in_index=2,
        num_tokens=4,
        channels=32,
        num_heads=8,
        head_channels=64,
        mlp_channels=64,
        encoder_layers=1,
        decoder_layers=8,
        num_classes=2,
        out_channels=2,
        norm_cfg=norm,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
# The fourth stage is loaded and run with the others, but BIT does not use it.
find_unused_parameters = True
