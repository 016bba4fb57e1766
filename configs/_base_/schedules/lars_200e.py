# LARS for batch 256 (8 processes x 32 images): the linear rule from SimCLR's and BYOL's 4.8 at batch 4096.
optim_wrapper = dict(
    optimizer=dict(type='LARS', lr=0.3, momentum=0.9, weight_decay=1e-6),
    # No decay and no layer-wise rate for biases and norms; the norm of a ResNet's shortcut is called downsample.1.
    paramwise_cfg=dict(
        custom_keys={
            'bn': dict(decay_mult=0, lars_exclude=True),
            'bias': dict(decay_mult=0, lars_exclude=True),
            'downsample.1': dict(decay_mult=0, lars_exclude=True),
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
