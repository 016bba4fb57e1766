# 8 processes x 64 images = 512, 200 epochs, as CMID's recipe; SimMIM's own runs have 100 or 800.
_base_ = [
    '../_base_/models/simmim.py',
    '../_base_/datasets/block_masks_224.py',
    '../_base_/schedules/simmim_200e.py',
    '../_base_/rival_runtime.py',
]
train_dataloader = dict(batch_size=64, dataset=dict(data_root='data/millionaid/test'))
