"""Drive momentum teachers."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from cmid_mm.models.selfsup import TeacherStudent


@HOOKS.register_module()
class TeacherHook(Hook):
    """Tell a :class:`TeacherStudent` the length of the run and the epoch; average its teachers after each step.

    With gradient accumulation a step is an optimizer step, not an iteration. Runs before checkpoints are written
    (priority ``NORMAL``; ``CheckpointHook`` is ``VERY_LOW``), so that a checkpoint holds the averaged teacher.

    Raises:
        TypeError: If the model has no teacher.
    """

    def before_train(self, runner: Runner) -> None:
        self._model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not isinstance(self._model, TeacherStudent):
            raise TypeError(
                f'TeacherHook: model type {type(self._model).__name__!r} has no teacher; '
                'remove the hook from custom_hooks, or inherit from cmid_mm.models.selfsup.TeacherStudent'
            )
        accumulation = runner.optim_wrapper._accumulative_counts
        self._model.set_max_steps(max(-(-runner.max_iters // accumulation), 1))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        self._model.set_epoch(runner.iter // len(runner.train_dataloader))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        if runner.optim_wrapper.should_update():
            self._model.update_teachers()
