# 8 processes x 32 images = 256, 200 epochs, as CMID's recipe.
_base_ = [
    '../_base_/models/densecl.py',
    '../_base_/datasets/contrastive_views_224.py',
    '../_base_/schedules/sgd_200e.py',
    '../_base_/densecl_runtime.py',
]
train_dataloader = dict(dataset=dict(data_root='data/millionaid/test'))
