_base_ = './rival_runtime.py'

# FitToDatasetHook sets the batch size and what ImageNet's 5005 iterations of one epoch stand for: how long the
# prototypes are frozen, and when the queue begins.
custom_hooks = [*_base_.custom_hooks, dict(type='SwAVQueueHook', feat_dim=128, queue_length=3840)]
find_unused_parameters = True  # the frozen prototypes, in distributed runs
