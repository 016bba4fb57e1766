# Batch 256, no warm-up, LARS for all parameters alike (SwAV's recipe of 200 epochs for small batches).
optim_wrapper = dict(optimizer=dict(type='LARS', lr=0.6, momentum=0.9, weight_decay=1e-6))
auto_scale_lr = dict(base_batch_size=256)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=6e-4, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(by_epoch=True, max_epochs=200)
