"""Settings of mmpretrain's algorithms that ImageNet's length has been built into."""

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.engine.hooks import DenseCLHook, SwAVHook
from mmpretrain.models import DenseCL, MoCo
from mmpretrain.utils import get_ori_model

# The most of a run that passes without DenseCL's dense loss; 1000 iterations are a thousandth of its run on ImageNet.
_DENSE_SHARE = 1 / 10
# SwAV's queue begins after 15 of the 200 epochs of its run on ImageNet.
_QUEUE_SHARE = 15 / 200


def longest_queue(images: int, batch_size: int) -> int:
    """Keys of the longest queue that holds no image twice and is filled by whole batches.

    Args:
        images (int): Images of the data set.
        batch_size (int): Images a step, over all processes.
    """
    return images // batch_size * batch_size


@HOOKS.register_module()
class FitToDatasetHook(Hook):
    """Fit to the data set and the batch what is constant in mmpretrain's configs, or refuse it.

    - Queues (``MoCo``, ``DenseCL``, ``SwAVHook``): refused if they are longer than the data set, for they would hold
      keys of one image several times, each a negative of the others; or if no whole number of batches fills them.
    - ``SwAVHook``: the prototypes are frozen for the first epoch, the queue begins after the same share of the run as
      on ImageNet (15 epochs of 200, at least one), and the batch size is that of the run.
    - ``DenseCLHook``: the dense loss begins after ``start_iters`` iterations, or after a tenth of the run if that is
      less; ImageNet's 1000 iterations are 40 epochs of 1600 images.

    Without these parts it does nothing. Runs before them (priority ``HIGHEST``).

    Raises:
        ValueError: If a queue does not fit; the message says which lengths do.
    """

    priority = 'HIGHEST'

    def before_run(self, runner: Runner) -> None:
        """Look at the model and the other hooks, before anything is loaded."""
        loader = runner.train_dataloader
        images = len(loader.dataset)
        batch_size = loader.batch_sampler.batch_size * get_world_size()
        model = get_ori_model(runner.model)
        if isinstance(model, MoCo | DenseCL):
            _check_queue('model.queue_len', model.queue_len, images, batch_size)
        for hook in runner.hooks:
            if isinstance(hook, DenseCLHook):
                hook.start_iters = min(hook.start_iters, int(_DENSE_SHARE * runner.max_iters))
                runner.logger.info(f'DenseCLHook: the dense loss begins after {hook.start_iters} iterations')
            elif isinstance(hook, SwAVHook):
                _check_queue(f'queue_length of {type(hook).__name__}', hook.queue_length, images, batch_size)
                hook.batch_size = batch_size
                hook.frozen_layers_cfg = dict(prototypes=len(loader))
                hook.epoch_queue_starts = max(1, round(_QUEUE_SHARE * runner.max_epochs))
                runner.logger.info(
                    f'{type(hook).__name__}: the prototypes are frozen for {len(loader)} iterations, the queue begins '
                    f'with epoch {hook.epoch_queue_starts}, counted from 0'
                )


def _check_queue(key: str, length: int, images: int, batch_size: int) -> None:
    if length > images or length % batch_size:
        raise ValueError(
            f'{key}={length} does not fit {images} images in batches of {batch_size} (of all processes): it must be a '
            f'multiple of the batch and no more than the images; set it to {longest_queue(images, batch_size)} or less'
        )
