# LEVIR-CD (Chen and Shi, 2020): pairs of 1024 pixels in {train,val,test}/{A,B,label}; training on crops of 256.
_base_ = './cdd_256.py'

data_root = 'data/levir-cd'
train_pipeline = [*_base_.load, dict(type='RandomCrop', crop_size=_base_.size), *_base_.noise, _base_.pack]
train_dataloader = dict(
    dataset=dict(data_root=data_root, data_prefix=dict(seg_map_path='train/label'), pipeline=train_pipeline)
)
val_dataloader = dict(batch_size=1, dataset=dict(data_root=data_root, data_prefix=dict(seg_map_path='val/label')))
test_dataloader = dict(batch_size=1, dataset=dict(data_root=data_root, data_prefix=dict(seg_map_path='test/label')))
