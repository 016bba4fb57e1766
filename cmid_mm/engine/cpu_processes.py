"""Several processes on a machine without GPUs."""

from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS
from torch import nn
from torch.nn import SyncBatchNorm

from .process_group import arguments_after_restart


@MODEL_WRAPPERS.register_module()
class CPUDistributedDataParallel(MMDistributedDataParallel):
    """``MMDistributedDataParallel`` whose batch norms are each process's own: torch synchronises them on GPUs alone.

    Args:
        module (nn.Module): The model, on CPUs.
        **kwargs: As ``MMDistributedDataParallel``.
    """

    def __init__(self, module: nn.Module, **kwargs: Any) -> None:
        synchronised = sum(isinstance(part, SyncBatchNorm) for part in module.modules())
        if synchronised:
            print_log(
                f'{synchronised} norms of type SyncBN take the statistics of their own process, because torch '
                'synchronises them on GPUs alone',
                logger='current',
            )
            module = revert_sync_batchnorm(module)
        super().__init__(module, **dict(kwargs, device_ids=None))  # the runner names the one of a GPU


def start_cpu_processes(cfg: Config) -> None:
    """Join the processes that torchrun started, with gloo, and wrap the model for CPUs.

    mmengine's own start sets a CUDA device for every backend, and its default wrapper names one; a group that
    already runs and a wrapper that the config names are left alone by it.

    Args:
        cfg (Config): Config of the run, changed in place.
    """
    torch.distributed.init_process_group('gloo', **arguments_after_restart())
    wrapper = dict(
        type='CPUDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = wrapper | cfg.get('model_wrapper_cfg', {})
