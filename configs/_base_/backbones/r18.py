# The small backbone of the demo and of the drawn scenes.
_base_ = './r50.py'

backbone = dict(depth=18, init_cfg=dict(checkpoint='work_dirs/demo/backbone.pth'))
channels = [64, 128, 256, 512]
