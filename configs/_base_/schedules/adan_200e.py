# Batch 256: the released run had 4 processes of 64 images and a learning rate of 1e-3 for each process.
optim_wrapper = dict(
    optimizer=dict(type='Adan', lr=4e-3, betas=(0.98, 0.92, 0.99), eps=1e-8, weight_decay=0.02),
    constructor='DecayGroupsConstructor',  # no decay of biases and norm weights
)
auto_scale_lr = dict(base_batch_size=256)
# The cosine ends with the run, whatever max_epochs is.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=10, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=10, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=200)
