_base_ = './mae_vit-s_millionaid.py'

train_dataloader = dict(dataset=dict(data_root='data/potsdam/unlabelled'))
train_cfg = dict(max_epochs=400)
