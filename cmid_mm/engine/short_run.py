"""Fit a config's schedules to a run of minutes."""

from mmengine.config import Config


def fit_to_short_run(cfg: Config, steps_per_epoch: int, epochs: int) -> None:
    """Set the length of a run, and let its warm-ups take the share of it that they have of a long run.

    The learning rate rises over an eighth of the iterations and falls by a cosine to the end; the teacher's
    temperature, if there is a local head, rises over three eighths of the epochs.

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
    cfg.model.local_head.loss.warmup_epochs = max(1, epochs * 3 // 8)
