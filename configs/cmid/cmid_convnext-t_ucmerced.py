# A third family of backbones: changing backbone, images and epochs takes these lines.
_base_ = './cmid_r50_ucmerced.py'

model = dict(
    backbone=dict(_delete_=True, type='MaskedConvNeXt', arch='tiny'),
    local_head=dict(projector=dict(with_norm=False)),
)
