# One GPU: ResNet-50 at 224 pixels, batch 64.
_base_ = './cmid_r50_millionaid.py'

model = dict(global_head=dict(queue_size=1024))
train_dataloader = dict(batch_size=64, dataset=dict(data_root='data/ucmerced'))
optim_wrapper = dict(optimizer=dict(lr=2e-3))  # the square-root rule from 4e-3 at batch 256
auto_scale_lr = dict(base_batch_size=64)
