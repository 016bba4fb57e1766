# One small GPU or a patient CPU: ResNet-18 at 96 pixels, batch 64.
_base_ = [
    '../_base_/models/spark.py',
    '../_base_/datasets/masked_images_96.py',
    '../_base_/schedules/spark_200e.py',
    '../_base_/rival_runtime.py',
]
model = dict(
    input_size=96,
    enc_dec_norm_dim=512,
    backbone=dict(depth=18, drop_path_rate=0.0),
    neck=dict(feature_dim=256),
)
train_dataloader = dict(batch_size=64, num_workers=2, dataset=dict(data_root='data/ucmerced'))
# The square-root rule from 1.6e-3 at batch 4096, as in byol_r18_ucmerced.py.
optim_wrapper = dict(optimizer=dict(lr=2e-4))
auto_scale_lr = dict(base_batch_size=64)
