# 2e-4 for each 512 images of a batch, as SimMIM's runs of 100 epochs, and gradients cut at a norm of 5 (Xie et al.,
# CVPR 2022, section 4.1); the epochs are CMID's.
_base_ = './adamw_200e.py'

optim_wrapper = dict(optimizer=dict(lr=2e-4), clip_grad=dict(max_norm=5.0))
auto_scale_lr = dict(base_batch_size=512)
