# Batch 256: the linear rule from 1.6 at batch 2048 (Zbontar et al., ICML 2021, section 2.2).
_base_ = './lars_200e.py'

optim_wrapper = dict(
    optimizer=dict(lr=0.2),
    # Biases and norms learn at 0.024 of the rate of the weights (0.0048 / 0.2).
    paramwise_cfg=dict(
        custom_keys={'bn': dict(lr_mult=0.024), 'bias': dict(lr_mult=0.024), 'downsample.1': dict(lr_mult=0.024)}
    ),
)
