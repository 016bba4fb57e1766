# cmid_r50_millionaid.py with the photometric noise on the device: the same distribution, less work for the workers.
_base_ = [
    '../_base_/models/cmid_resnet50.py',
    '../_base_/datasets/cmid_views_224_device.py',
    '../_base_/schedules/adan_200e.py',
    '../_base_/pretrain_runtime.py',
]
train_dataloader = dict(dataset=dict(data_root='data/millionaid/test'))
