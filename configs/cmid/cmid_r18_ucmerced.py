# Small images, one GPU or a patient CPU: ResNet-18 at 96 pixels, batch 64.
_base_ = [
    '../_base_/models/cmid_resnet50.py',
    '../_base_/datasets/cmid_views_96.py',
    '../_base_/schedules/adan_200e.py',
    '../_base_/pretrain_runtime.py',
]
model = dict(
    backbone=dict(depth=18),
    global_head=dict(queue_size=1024),
    # 9 cells a view at 96 pixels: half of them are matched, as 20 of 49 are at 224.
    local_head=dict(num_matches=4),
)
train_dataloader = dict(batch_size=64, num_workers=2, dataset=dict(data_root='data/ucmerced'))
optim_wrapper = dict(optimizer=dict(lr=2e-3))  # the square-root rule from 4e-3 at batch 256
auto_scale_lr = dict(base_batch_size=64)
train_cfg = dict(max_epochs=200)
