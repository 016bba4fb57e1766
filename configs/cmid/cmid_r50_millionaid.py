# The paper's recipe: 8 processes x 32 images = 256, 200 epochs on the 990,848 test images of MillionAID.
_base_ = [
    '../_base_/models/cmid_resnet50.py',
    '../_base_/datasets/cmid_views_224.py',
    '../_base_/schedules/adan_200e.py',
    '../_base_/pretrain_runtime.py',
]
train_dataloader = dict(dataset=dict(data_root='data/millionaid/test'))
