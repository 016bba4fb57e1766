# CMID without the local distillation.
_base_ = '../../../configs/cmid/cmid_r18_ucmerced.py'
model = dict(local_head=None)
