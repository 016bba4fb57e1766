"""Fit a config to a run of minutes, and to this machine."""

import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from cmid_mm.models.selfsup import TeacherStudent

from .algorithm_settings import has_setting, setting_of
from .optimizers import cpu_multiplies_bfloat16


def fit_to_short_run(cfg: Config, steps_per_epoch: int, epochs: int) -> None:
    """Set the length of a run of any method, and fit to it what would otherwise outlast it.

    The learning rate rises over an eighth of the iterations and falls by a cosine to the end; the temperature of CMID's
    teacher, if there is a local head, rises over three eighths of the epochs. A momentum encoder, whose memory of 250
    iterations or more is nothing in a long run and all of a short one, remembers no more than half of the run. What
    SwAV and DenseCL count in iterations or epochs is fitted by ``FitToDatasetHook`` when a run begins.

    Args:
        cfg (Config): Config of a run, changed in place.
        steps_per_epoch (int): Iterations an epoch.
        epochs (int): Epochs of the run.
    """
    total = steps_per_epoch * epochs
    cfg.train_cfg.max_epochs = epochs
    cfg.param_scheduler = warm_up_and_cosine(total)
    if issubclass(MODELS.get(cfg.model.type), TeacherStudent):
        cfg.model.base_momentum = min(setting_of(cfg, 'base_momentum'), max(0.0, 1 - 2 / total))
        if cfg.model.get('local_head'):
            loss = cfg.model.local_head.setdefault('loss', {})
            loss['warmup_epochs'] = max(1, epochs * 3 // 8)
    else:
        # mmpretrain's momentum is the weight of the new, one minus that of the papers and of TeacherStudent.
        for name in ('base_momentum', 'momentum'):
            if has_setting(cfg, name):
                cfg.model[name] = max(setting_of(cfg, name), min(1.0, 2 / total))


def warm_up_and_cosine(total: int) -> list[dict]:
    """Parameter schedulers: a linear rise over an eighth of ``total`` iterations, then a cosine to the end."""
    # mmengine's LinearLR reaches the full rate in its last iteration but one, so it needs two.
    warm_up = max(2, total // 8)
    return [
        dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=warm_up),
        dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=False, begin=warm_up, end=max(total, warm_up + 1)),
    ]


def use_fast_precision(cfg: Config) -> None:
    """Use bfloat16 in the forward pass where there is no GPU and the CPU has instructions for it.

    ``tools/benchmark/cpu_precision.py`` measures the gain.

    Args:
        cfg (Config): Config of a run, changed in place.
    """
    if not torch.cuda.is_available() and cpu_multiplies_bfloat16():
        cfg.optim_wrapper.type = 'CPUAmpOptimWrapper'
