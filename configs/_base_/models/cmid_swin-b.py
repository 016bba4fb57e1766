_base_ = './cmid_resnet50.py'

model = dict(
    channels_last=False,
    backbone=dict(_delete_=True, type='MaskedSwinTransformer', arch='base', drop_path_rate=0.0),
    # Swin has no batch norm, and its local head has none either.
    local_head=dict(projector=dict(with_norm=False)),
)
