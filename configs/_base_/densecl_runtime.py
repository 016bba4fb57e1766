_base_ = './rival_runtime.py'

# ImageNet's 1000 iterations without the dense loss; FitToDatasetHook makes them fewer in runs that are short.
custom_hooks = [*_base_.custom_hooks, dict(type='DenseCLHook', start_iters=1000)]
