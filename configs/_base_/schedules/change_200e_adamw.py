# The same for Swin-B: AdamW.
_base_ = './change_200e.py'

optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=6e-5, weight_decay=0.01))
