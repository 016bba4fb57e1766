"""Say that a run is in trouble, and what to change, while there is time."""

from collections import Counter

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from .monitor_hook import is_logged


@HOOKS.register_module()
class HealthHook(Hook):
    """Warns in one line when a run collapses, diverges, or waits for data, with the likely cause and what to change.

    It looks at what was logged, ``MonitorHook``'s scalars among it, when it is logged. A condition is said when it has
    held for ``patience`` logs in a row, and not again before it has gone.

    - Collapse: a standard deviation or an effective rank of ``MonitorHook`` is under its bound.
    - Divergence: the mean loss of the last ``log_processor.window_size`` iterations lies above the lowest such mean by
      more than ``max_rise`` of the highest, and by more than three standard deviations of the losses of the lowest.
      Counted from the highest learning rate so far: warm-ups are left out, and with them the filling of a queue, during
      which losses of contrast rise.
    - Starvation: more than ``max_data_share`` of the time passes in waiting for data.

    Args:
        min_std (float): Bound of standard deviations times the root of the dimensions; 0 never warns. Defaults to 0.05.
        min_rank (float): Bound of effective ranks, or a quarter of the images of a process if that is less; 0 never
            warns. Defaults to 3.
        max_rise (float): Part of the highest mean loss; infinite never warns. Defaults to 0.3.
        max_data_share (float): From 0 to 1; 1 never warns. Defaults to 0.3.
        patience (int): Logs in a row. Defaults to 3.

    Raises:
        ValueError: If an argument is out of its range.
    """

    # After LoggerHook, so that the line stands below the numbers that it speaks of.
    priority = 'LOW'

    def __init__(
        self,
        min_std: float = 0.05,
        min_rank: float = 3.0,
        max_rise: float = 0.3,
        max_data_share: float = 0.3,
        patience: int = 3,
    ) -> None:
        bounds = dict(min_std=min_std, min_rank=min_rank, max_rise=max_rise, max_data_share=max_data_share)
        for name, value in bounds.items():
            if not value >= 0:
                raise ValueError(f'{name} of HealthHook is {value}; it must be 0 or more')
        if patience < 1:
            raise ValueError(f'patience of HealthHook is {patience}; it must be 1 or more')
        self.min_std = min_std
        self.min_rank = min_rank
        self.max_rise = max_rise
        self.max_data_share = max_data_share
        self.patience = patience
        self._logs: Counter[str] = Counter()  # logs in a row, by condition

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Look at the scalars if they were just logged."""
        if not is_main_process() or not is_logged(runner, batch_idx):
            return
        for look in (self._collapse, self._divergence, self._starvation):
            sentence = look(runner)
            self._logs[look.__name__] = self._logs[look.__name__] + 1 if sentence else 0
            if self._logs[look.__name__] == self.patience:
                runner.logger.warning(f'iteration {runner.iter + 1}, {self.patience} logs in a row: {sentence}')

    def _collapse(self, runner: Runner) -> str | None:
        # A few images are of low rank, however different they are.
        min_rank = min(self.min_rank, runner.train_dataloader.batch_sampler.batch_size / 4)
        for kind, bound in (('std', self.min_std), ('rank', min_rank)):
            for key, buffer in runner.message_hub.log_scalars.items():
                value = buffer.current() if key.endswith(f'_{kind}') and key.startswith('train/') else bound
                if value < bound:
                    teacher = _current(runner.message_hub, 'train/teacher_momentum')
                    slower = f', or slow the teacher, which keeps {teacher:.4g} of itself a step' if teacher else ''
                    return (
                        f'collapse: {key.removeprefix("train/")} is {value:.3g}, under {bound:g}, so different images '
                        'have nearly the same features; most likely the learning rate is too high: lower '
                        f'optim_wrapper.optimizer.lr (now {_rate(runner):.3g}) or lengthen its warm-up in '
                        f'param_scheduler{slower}'
                    )
        return None

    def _divergence(self, runner: Runner) -> str | None:
        hub, window = runner.message_hub, runner.log_processor.window_size
        if not {'train/loss', 'train/lr'} <= hub.log_scalars.keys():
            return None
        losses, rates = hub.get_scalar('train/loss').data[0], hub.get_scalar('train/lr').data[0]
        # Skipped batches have a rate but no loss: count from the end.
        losses = losses[-(len(rates) - int(rates.argmax())) :]
        windows = losses[len(losses) % window :].reshape(-1, window)
        if len(windows) < 2:
            return None
        means = windows.mean(axis=1)
        lowest = int(means.argmin())
        rise = means[-1] - means[lowest]
        if rise <= self.max_rise * np.abs(means).max() or rise <= 3 * windows[lowest].std():
            return None
        return (
            f'divergence: the loss is {means[-1]:.4g}, the mean of {window} iterations, and was {means[lowest]:.4g}; '
            f'most likely the learning rate is too high: lower optim_wrapper.optimizer.lr (now {_rate(runner):.3g}) '
            'or clip the gradient with optim_wrapper.clip_grad=dict(max_norm=1.0)'
        )

    def _starvation(self, runner: Runner) -> str | None:
        share = _current(runner.message_hub, 'train/data_share')
        if share is None or share <= self.max_data_share:
            return None
        return (
            f'starvation: {share:.0%} of the time passes in waiting for data; most likely too few workers decode '
            f'images: raise train_dataloader.num_workers (now {runner.train_dataloader.num_workers}), or pack them '
            'with tools/datasets/pack.py'
        )


def _current(hub: MessageHub, key: str) -> float | None:
    return hub.get_scalar(key).current() if key in hub.log_scalars else None


def _rate(runner: Runner) -> float:
    return runner.optim_wrapper.get_lr()['lr'][0]
