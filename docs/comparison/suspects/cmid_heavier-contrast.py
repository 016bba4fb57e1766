# Four times the weight on the contrast of views.
_base_ = '../../../configs/cmid/cmid_r18_ucmerced.py'
model = dict(global_head=dict(loss=dict(loss_weight=4.0)))
