"""Make a resumed run the same as one that never stopped."""

import numpy as np
from mmengine.dist import get_rank
from mmengine.hooks import CheckpointHook, Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner, set_random_seed

from cmid_mm.datasets.samplers import GlobalBatchSampler


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Randomness of each step is a function of (seed, iteration, rank), and an epoch goes on where it stopped.

    Generators are seeded anew before each iteration, so no generator state has to be saved, for any number of
    processes; the seed itself is in mmengine's checkpoints and taken from there on resuming. A run that stopped in
    the middle of an epoch skips the batches it has seen, which needs ``EpochSampler`` and ``GlobalBatchSampler``.

    Gradients that wait for more iterations (``accumulative_counts``) are in no checkpoint, so checkpoints must be
    written between optimizer steps.

    Raises:
        ValueError: If checkpoints would be written within an accumulation.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        accumulation = runner.optim_wrapper._accumulative_counts
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook) and accumulation > 1:
                interval = hook.interval * (len(runner.train_dataloader) if hook.by_epoch else 1)
                if hook.interval > 0 and interval % accumulation:
                    raise ValueError(
                        f'CheckpointHook: a checkpoint every {interval} iterations falls between two optimizer steps '
                        f'(optim_wrapper.accumulative_counts={accumulation}), so resuming would lose gradients; '
                        'choose an interval, or a number of iterations an epoch, that accumulative_counts divides'
                    )

    def before_train_epoch(self, runner: Runner) -> None:
        batches = runner.train_dataloader.batch_sampler
        seen = runner.iter - runner.epoch * len(runner.train_dataloader)
        if isinstance(batches, GlobalBatchSampler):
            # The seed of a resumed run comes from its checkpoint, after the sampler was built.
            batches.sampler.seed = runner.seed
            batches.skip(seen, runner.epoch)
        elif seen > 0:
            raise ValueError(
                f'train_dataloader.batch_sampler: {type(batches).__name__} cannot go on in the middle of an epoch '
                f"(iteration {runner.iter}); set batch_sampler=dict(type='GlobalBatchSampler') and "
                "sampler=dict(type='EpochSampler'), or resume from the end of an epoch"
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        sequence = np.random.SeedSequence([runner.seed, runner.iter, get_rank()])
        set_random_seed(int(sequence.generate_state(1)[0]))
