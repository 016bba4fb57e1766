# 8 processes x 256 images = 2048, 200 epochs, as CMID's recipe; MAE's own runs have 400 to 1600.
_base_ = [
    '../_base_/models/mae.py',
    '../_base_/datasets/masked_images_224.py',
    '../_base_/schedules/mae_200e.py',
    '../_base_/rival_runtime.py',
]
train_dataloader = dict(batch_size=256, dataset=dict(data_root='data/millionaid/test'))
