# SimCLR with CMID's optimizer and rate.
_base_ = '../../../configs/simclr/simclr_r18_ucmerced.py'
optim_wrapper = dict(
    _delete_=True,
    optimizer=dict(type='Adan', lr=2e-3, betas=(0.98, 0.92, 0.99), eps=1e-8, weight_decay=0.02),
    constructor='DecayGroupsConstructor',
)
