"""Keep what is needed to start a run again and to compare it."""

import json
import platform
import sys
from pathlib import Path

from mmengine.dist import all_gather_object, barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from cmid_mm.engine.process_group import leave_process_group
from cmid_mm.engine.run_record import FIRST_LOSSES, describe_run, write_record


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Writes ``run.json`` and ``first_losses.json`` beside the log of each start of a run.

    ``WORK_DIR/TIMESTAMP/run.json`` is what :func:`~cmid_mm.engine.run_record.describe_run` says, written before the
    first iteration. ``first_losses.json`` has a line for each of the first iterations, with the values that mmengine
    has read for its log anyway: every loss of the main process, unrounded. ``tools/rerun.py`` starts the run again
    from the one and compares with the other.

    Args:
        losses (int): Iterations whose losses are kept. Defaults to 100.
        stop (bool): Whether to end the program after them, as ``tools/rerun.py`` wants it. Defaults to False.
    """

    # Before other hooks that may stop the run; RuntimeInfoHook, which reads the losses, comes first all the same.
    priority = 'HIGH'

    def __init__(self, losses: int = 100, stop: bool = False) -> None:
        if losses < 1:
            raise ValueError(f'losses of RunRecordHook is {losses}; it must be 1 or more')
        self.losses = losses
        self.stop = stop
        self._path: Path | None = None

    def before_train(self, runner: Runner) -> None:
        """Describe the run, and begin the list of its losses."""
        machines = all_gather_object(platform.node())
        self._last = runner.iter + self.losses
        if is_main_process():
            record = write_record(runner.log_dir, describe_run(runner, machines))
            self._path = record.with_name(FIRST_LOSSES)
            self._path.write_text('', encoding='utf-8')

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Write down the losses; end the program if all are there and it is to."""
        if runner.iter >= self._last:
            return
        if self._path is not None and outputs:
            values = {name: runner.message_hub.get_scalar(f'train/{name}').current() for name in outputs}
            with self._path.open('a', encoding='utf-8') as file:
                file.write(json.dumps({'step': runner.iter + 1, **values}) + '\n')
        if self.stop and runner.iter + 1 == self._last:
            _end(runner)


def _end(runner: Runner) -> None:
    """End all processes as after a whole run."""
    runner.visualizer.close()
    barrier()
    leave_process_group()
    sys.exit(0)
