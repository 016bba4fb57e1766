_base_ = './simmim_swin-b_millionaid.py'

train_dataloader = dict(dataset=dict(data_root='data/potsdam/unlabelled'))
train_cfg = dict(max_epochs=400)
