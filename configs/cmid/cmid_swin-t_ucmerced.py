# One small GPU or a patient CPU: Swin-T at 96 pixels, batch 64.
_base_ = ['./cmid_r18_ucmerced.py', '../_base_/backbones/swin-t_96.py']

model = dict(
    channels_last=False,
    backbone=dict(_base_.swin_t_96, _delete_=True, type='MaskedSwinTransformer'),
    # Swin has no batch norm, and its local head has none either.
    local_head=dict(projector=dict(with_norm=False)),
)
