# CMID with SimCLR's optimizer and rate.
_base_ = '../../../configs/cmid/cmid_r18_ucmerced.py'
optim_wrapper = dict(
    _delete_=True,
    optimizer=dict(type='LARS', lr=0.6, momentum=0.9, weight_decay=1e-6),
    paramwise_cfg=dict(
        custom_keys={name: dict(decay_mult=0, lars_exclude=True) for name in ('bn', 'bias', 'downsample.1')}
    ),
)
