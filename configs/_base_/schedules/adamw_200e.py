# AdamW for transformers, batch 256: the linear rule from 1e-3 at batch 512 (MoBY, Xie et al., 2021).
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.05),
    # No decay of norms ('norm' in Swin, 'ln' in ViT, 'bn' in projectors), biases, positions ('bias' names those of Swin
    # too) and tokens.
    paramwise_cfg=dict(
        custom_keys={
            name: dict(decay_mult=0.0) for name in ('norm', 'ln', 'bn', 'bias', 'pos_embed', 'mask_token', 'cls_token')
        }
    ),
)
auto_scale_lr = dict(base_batch_size=256)
# The cosine ends with the run, whatever max_epochs is.
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=True, begin=0, end=10, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=10, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=200)
