# A teacher that follows at once.
_base_ = '../../../configs/cmid/cmid_r18_ucmerced.py'
model = dict(base_momentum=0.9)
