# 8 processes x 32 images = 256, 200 epochs, as CMID's recipe.
_base_ = [
    '../_base_/models/barlowtwins.py',
    '../_base_/datasets/byol_views_224.py',
    '../_base_/schedules/barlowtwins_200e.py',
    '../_base_/rival_runtime.py',
]
train_dataloader = dict(dataset=dict(data_root='data/millionaid/test'))
