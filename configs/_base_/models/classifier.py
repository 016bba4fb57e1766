# Global average pooling and one linear layer; a config gives it a backbone and its channels.
num_classes = 21
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        num_classes=num_classes, mean=[86.18235, 91.9275, 85.374], std=[34.6545, 34.476, 35.8785], to_rgb=True
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=num_classes,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        cal_acc=False,
    ),
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]),
)
