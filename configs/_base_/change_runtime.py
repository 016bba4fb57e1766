# Segmentation of two dates; the best checkpoint is that of the highest F1 of the changed class.
_base_ = './segmentation_runtime.py'

default_hooks = dict(checkpoint=dict(save_best='F1', rule='greater'))
