_base_ = './simmim_swin-b_millionaid.py'

model = dict(backbone=dict(arch='tiny'), neck=dict(in_channels=768))
