# Three times the rate.
_base_ = '../../../configs/cmid/cmid_r18_ucmerced.py'
optim_wrapper = dict(optimizer=dict(lr=6e-3))
