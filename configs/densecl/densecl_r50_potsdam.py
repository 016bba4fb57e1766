_base_ = './densecl_r50_millionaid.py'

# 38 scenes of 144 tiles are 5472 images; MillionAID's queue would hold each of them twelve times.
model = dict(queue_len=4096)
train_dataloader = dict(dataset=dict(data_root='data/potsdam/unlabelled'))
train_cfg = dict(max_epochs=400)
