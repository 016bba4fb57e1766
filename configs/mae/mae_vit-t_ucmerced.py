# One small GPU or a patient CPU: ViT-T at 96 pixels, in 144 patches of 8 pixels, batch 64.
_base_ = [
    '../_base_/models/mae.py',
    '../_base_/datasets/masked_images_96.py',
    '../_base_/schedules/mae_200e.py',
    '../_base_/rival_runtime.py',
]
model = dict(
    backbone=dict(arch='deit-tiny', img_size=96, patch_size=8),
    neck=dict(
        num_patches=144, patch_size=8, embed_dim=192, decoder_embed_dim=128, decoder_depth=4, decoder_num_heads=4
    ),
    head=dict(patch_size=8),
)
train_dataloader = dict(batch_size=64, num_workers=2, dataset=dict(data_root='data/ucmerced'))
# The square-root rule from 2.4e-3 at batch 4096, as in byol_r18_ucmerced.py.
optim_wrapper = dict(optimizer=dict(lr=3e-4))
auto_scale_lr = dict(base_batch_size=64)
