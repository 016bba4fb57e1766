"""Fit a config to a run of minutes, and to this machine."""

import torch
from mmengine.config import Config

from .optimizers import cpu_multiplies_bfloat16


def fit_to_short_run(cfg: Config, steps_per_epoch: int, epochs: int) -> None:
    """Set the length of a run, and fit to it what would otherwise outlast it.

    The learning rate rises over an eighth of the iterations and falls by a cosine to the end; the teacher's
    temperature, if there is a local head, rises over three eighths of the epochs. The teacher, whose memory of 250
    iterations is nothing in a long run and all of a short one, remembers no more than half of the run.

    Args:
        cfg (Config): Config of a run, changed in place.
        steps_per_epoch (int): Iterations an epoch.
        epochs (int): Epochs of the run.
    """
    total = steps_per_epoch * epochs
    # mmengine's LinearLR reaches the full rate in its last iteration but one, so it needs two.
    warm_up = max(2, total // 8)
    cfg.train_cfg.max_epochs = epochs
    cfg.param_scheduler = [
        dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=warm_up),
        dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=False, begin=warm_up, end=max(total, warm_up + 1)),
    ]
    cfg.model.base_momentum = min(cfg.model.base_momentum, max(0.0, 1 - 2 / total))
    cfg.model.local_head.loss.warmup_epochs = max(1, epochs * 3 // 8)


def use_fast_precision(cfg: Config) -> None:
    """Use bfloat16 in the forward pass where there is no GPU and the CPU has instructions for it.

    ``tools/benchmark/cpu_precision.py`` measures the gain.

    Args:
        cfg (Config): Config of a run, changed in place.
    """
    if not torch.cuda.is_available() and cpu_multiplies_bfloat16():
        cfg.optim_wrapper.type = 'CPUAmpOptimWrapper'
