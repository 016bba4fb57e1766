"""Several processes on a machine without GPUs."""

import torch
from mmengine.config import Config


def start_cpu_processes(cfg: Config) -> None:
    """Join the processes that torchrun started, with gloo, and wrap the model for CPUs.

    mmengine's own start sets a CUDA device for every backend, and its default wrapper names one; a group that
    already runs and a wrapper that the config names are left alone by it.

    Args:
        cfg (Config): Config of the run, changed in place.
    """
    torch.distributed.init_process_group('gloo')
    wrapper = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = wrapper | cfg.get('model_wrapper_cfg', {})
