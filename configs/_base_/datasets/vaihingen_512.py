# ISPRS Vaihingen (near infrared, red, green) in tiles of 512 pixels.
_base_ = './potsdam_512.py'

train_dataloader = dict(dataset=dict(data_root='data/vaihingen'))
val_dataloader = dict(dataset=dict(data_root='data/vaihingen'))
test_dataloader = val_dataloader
