"""Show a training run as one bar with its loss and the time left."""

import atexit
import logging

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from cmid_mm.visualization.progress import ProgressBar


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """A bar for the whole run in place of mmengine's log lines on the console.

    The log file and ``scalars.json`` keep every line; warnings still reach the console. Only the main process shows it.

    Args:
        what (str): Name before the bar. Defaults to 'pretraining'.
        every_seconds (float): Time between two lines where standard output is no terminal. Defaults to 10.
        window (int): Iterations over which the shown loss is averaged. Defaults to 20.
    """

    # After RuntimeInfoHook, which stores the losses of the iteration.
    priority = 'LOW'

    def __init__(self, what: str = 'pretraining', every_seconds: float = 10.0, window: int = 20) -> None:
        self.what = what
        self.every_seconds = every_seconds
        self.window = window
        self.bar: ProgressBar | None = None
        self.levels: dict[logging.Handler, int] = {}

    def before_train(self, runner: Runner) -> None:
        if not is_main_process():
            return
        for handler in runner.logger.handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                self.levels[handler] = handler.level
                handler.setLevel(max(handler.level, logging.WARNING))
        self.bar = ProgressBar(self.what, runner.max_iters, done=runner.iter, every_seconds=self.every_seconds)
        # A run that ends in an error never reaches after_train, but the terminal's cursor must come back.
        atexit.register(self.bar.close)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        if self.bar is None:
            return
        losses = runner.message_hub.log_scalars.get('train/loss')  # none if all batches so far were skipped
        self.bar.advance(note=f'loss {losses.mean(self.window):.4g}' if losses else '')

    def after_train(self, runner: Runner) -> None:
        if self.bar is None:
            return
        self.bar.close()
        atexit.unregister(self.bar.close)
        self.bar = None
        for handler, level in self.levels.items():
            handler.setLevel(level)
        self.levels.clear()
