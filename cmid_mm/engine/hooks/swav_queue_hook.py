"""SwAV's queues in the checkpoint."""

import torch
from mmengine.device import get_device
from mmengine.dist import all_gather, get_rank, get_world_size
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.engine.hooks import SwAVHook
from mmpretrain.utils import get_ori_model
from torch import Tensor

_KEY = 'swav_queues'


@HOOKS.register_module()
class SwAVQueueHook(SwAVHook):
    """mmpretrain's ``SwAVHook`` with the queues of all processes in the checkpoint.

    ``SwAVHook`` writes them to files of the work folder, once an epoch, and every run that finds such files begins with
    them: also a new run, or one that resumes from an older checkpoint. Here a resumed run goes on with the queues of
    its checkpoint, and any other begins without.

    ``FitToDatasetHook`` sets what depends on the run: the batch size, the epoch in which the queue begins, and how long
    the prototypes are frozen.

    Args:
        queue_length (int): Embeddings a queue, over all processes; a multiple of the batch. 0: no queue.
            Defaults to 0.
        feat_dim (int): Values an embedding. Defaults to 128.
        crops_for_assign (tuple[int, ...]): The views that are assigned to prototypes. Defaults to (0, 1).

    Raises:
        ValueError: If the checkpoint holds the queues of another number of processes.
    """

    priority = 'VERY_HIGH'

    def __init__(self, queue_length: int = 0, feat_dim: int = 128, crops_for_assign: tuple[int, ...] = (0, 1)) -> None:
        super().__init__(
            batch_size=1, queue_length=queue_length, feat_dim=feat_dim, crops_for_assign=list(crops_for_assign)
        )
        self._gathered: Tensor | None = None

    def before_run(self, runner: Runner) -> None:
        """Begin without queues."""

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take this process's queue ``(crops, length, dim)``."""
        queues = checkpoint.get(_KEY)
        if queues is None:
            return
        if len(queues) != get_world_size():
            raise ValueError(
                f'the checkpoint holds SwAV queues of {len(queues)} processes, and this run has {get_world_size()}; '
                'resume with as many processes as before'
            )
        self.queue = queues[get_rank()].to(get_device())

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Bring the queues of all processes together, if a checkpoint is written after this iteration."""
        hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook) and not hook.by_epoch]
        if any(
            self.every_n_train_iters(runner, hook.interval, hook.save_begin) or self.is_last_train_iter(runner)
            for hook in hooks
        ):
            self._gather(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Bring the queues of all processes together."""
        self._gather(runner)

    def before_preemption(self, runner: Runner) -> None:
        """Bring the queues of all processes together, for the checkpoint that ``PreemptionHook`` writes."""
        self._gather(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the queues of all processes, ``(processes, crops, length, dim)``, if there are any yet."""
        if self._gathered is not None:
            checkpoint[_KEY] = self._gathered

    def _gather(self, runner: Runner) -> None:
        # Only the main process writes checkpoints, and it does so alone.
        queue = get_ori_model(runner.model).head.loss_module.queue
        self._gathered = None if queue is None else torch.stack(all_gather(queue)).cpu()
