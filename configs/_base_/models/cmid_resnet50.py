model = dict(
    type='CMID',
    base_momentum=0.996,
    channels_last=True,  # the same numbers, faster convolutions
    # The released code starts from torchvision's ResNet, whose residual branches do not start at zero.
    backbone=dict(type='MaskedResNet', depth=50, zero_init_residual=False),
    reconstruction_head=dict(type='ReconstructionHead', stride=32),
    global_head=dict(
        type='GlobalContrastHead',
        projector=dict(type='MoCoV2Neck', hid_channels=2048, out_channels=256),
        queue_size=65536,
        loss=dict(type='InfoNCELoss', temperature=0.2),
    ),
    local_head=dict(
        type='LocalDistillationHead',
        projector=dict(type='PrototypeNeck', hid_channels=2048, out_channels=256, num_prototypes=2048, with_norm=True),
        num_matches=20,
        loss=dict(
            student_temperature=0.1,
            teacher_temperature=0.07,
            warmup_temperature=0.04,
            warmup_epochs=50,
            center_momentum=0.9,
        ),
    ),
)
