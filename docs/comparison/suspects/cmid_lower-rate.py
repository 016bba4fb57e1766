# The rate of cmid_r18_demo.py, 4e-4 at batch 32, at batch 64.
_base_ = '../../../configs/cmid/cmid_r18_ucmerced.py'
optim_wrapper = dict(optimizer=dict(lr=5.66e-4))
