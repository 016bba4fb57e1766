_base_ = './swav_r50_millionaid.py'

# 38 scenes of 144 tiles are 5472 images: 3000 prototypes would have less than two each. The queue of 3840 still fits.
model = dict(head=dict(loss=dict(num_prototypes=512)))
train_dataloader = dict(dataset=dict(data_root='data/potsdam/unlabelled'))
train_cfg = dict(max_epochs=400)
