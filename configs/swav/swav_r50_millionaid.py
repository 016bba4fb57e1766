# 8 processes x 32 images = 256, 200 epochs, as CMID's recipe.
_base_ = [
    '../_base_/models/swav.py',
    '../_base_/datasets/multi_crop_224.py',
    '../_base_/schedules/swav_200e.py',
    '../_base_/swav_runtime.py',
]
train_dataloader = dict(dataset=dict(data_root='data/millionaid/test'))
