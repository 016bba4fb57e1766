_base_ = './byol_r50_millionaid.py'

train_dataloader = dict(dataset=dict(data_root='data/potsdam/unlabelled'))
train_cfg = dict(max_epochs=400)
