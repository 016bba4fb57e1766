"""Fit the learning rate to the batch size."""

import math

from mmengine.config import Config

RULES = ('linear', 'sqrt')


def scale_learning_rate(cfg: Config, rule: str, world_size: int) -> float:
    """Scale the optimizer's learning rate from the batch size it was chosen for to the one of this run.

    The batch of a run is ``train_dataloader.batch_size * world_size * optim_wrapper.accumulative_counts``. Linear
    scaling is the rule of Goyal et al. (2017); for Adan, CMID's authors advise the square root. mmengine's own
    ``auto_scale_lr`` knows only the linear rule and does not count accumulation, so it is switched off.

    Args:
        cfg (Config): Config of the run, changed in place.
        rule (str): ``'linear'`` or ``'sqrt'``.
        world_size (int): Number of processes.

    Returns:
        float: The factor.

    Raises:
        ValueError: If the rule is unknown or the config names no ``auto_scale_lr.base_batch_size``.
    """
    if rule not in RULES:
        raise ValueError(f'--auto-scale-lr={rule!r} is not one of {RULES}')
    base = cfg.get('auto_scale_lr', {}).get('base_batch_size')
    if not base:
        raise ValueError(
            '--auto-scale-lr needs the batch size that the learning rate was chosen for; '
            'set auto_scale_lr=dict(base_batch_size=...) in the config'
        )
    batch = cfg.train_dataloader.batch_size * world_size * cfg.optim_wrapper.get('accumulative_counts', 1)
    factor = batch / base if rule == 'linear' else math.sqrt(batch / base)
    cfg.optim_wrapper.optimizer.lr *= factor
    cfg.auto_scale_lr.enable = False
    return factor
