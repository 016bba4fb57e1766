"""Scalars that say whether a run learns, beside its losses."""

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook, LoggerHook
from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.models.utils import CosineEMA
from mmpretrain.utils import get_ori_model
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from cmid_mm.models.selfsup import TeacherStudent
from cmid_mm.models.utils import KeyQueue, cosine_momentum, spread_and_rank

from .unreadable_hook import UnreadableImagesHook


def is_logged(runner: Runner, batch_idx: int) -> bool:
    """Whether ``LoggerHook`` writes the scalars after this iteration of the epoch; never if there is no such hook."""
    logger = next((hook for hook in runner.hooks if isinstance(hook, LoggerHook)), None)
    if logger is None:
        return False
    if logger.every_n_inner_iters(batch_idx, logger.interval):
        return True
    loader = runner.train_dataloader
    return logger.end_of_epoch(loader, batch_idx) and (not logger.ignore_last or len(loader) <= logger.interval)


@HOOKS.register_module()
class MonitorHook(Hook):
    """In the iterations that ``LoggerHook`` writes, add what tells a run that learns from one that does not.

    Of any method: standard deviation and effective rank of the backbone's pooled features (``backbone_std``,
    ``backbone_rank``), the norm of the gradient (``gradient_norm``), the share of the old teacher that is kept
    (``teacher_momentum``), the share of time spent waiting for data (``data_share``) and the number of skipped images
    (``skipped_images``). A module of the model with a method ``statistics`` adds its own: it is called with the
    arguments of ``forward`` and returns scalars, or embeddings ``(n, C)`` of which standard deviation and rank are
    written. Those of CMID's losses are similarities and the use of prototypes, and its queue tells the age of its keys.
    ``docs/monitoring.md`` lists all.

    The main process measures its own images. Nothing is computed in the other iterations, and no number of the training
    changes. Compiled backbones cannot be listened to; their scalars are left out.
    """

    # Before IterTimerHook, so that its time is not taken for waiting for data, and before TeacherHook.
    priority = 'ABOVE_NORMAL'

    def before_train(self, runner: Runner) -> None:
        """Find what there is to listen to."""
        self._model = get_ori_model(runner.model)
        self._handles: list[RemovableHandle] = []
        self._found: dict[str, list[Tensor | float]] = {}
        if isinstance(self._model, TeacherStudent) and self._model.compile_networks:  # by TeacherHook, after this
            runner.logger.info('MonitorHook: the backbone is compiled, so backbone_std and backbone_rank are left out')

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Listen to the step if it is logged, and to the last optimizer step before that."""
        if not is_main_process():
            return
        accumulation = runner.optim_wrapper._accumulative_counts
        if not self._handles and any(is_logged(runner, batch_idx + ahead) for ahead in range(accumulation)):
            self._handles.append(runner.optim_wrapper.optimizer.register_step_pre_hook(self._take_gradient))
        if is_logged(runner, batch_idx):
            if self._model.backbone._compiled_call_impl is None:
                self._handles.append(self._model.backbone.register_forward_hook(self._take_features))
            for module in self._model.modules():
                if hasattr(module, 'statistics'):
                    self._handles.append(module.register_forward_pre_hook(self._take_statistics))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Write the scalars if the step is logged."""
        if not is_main_process() or not is_logged(runner, batch_idx):
            return
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        scalars = self._summarise() | self._teacher_and_queue(runner)
        share = data_share(runner.message_hub, runner.log_processor.window_size)
        if share is not None:
            scalars['data_share'] = share
        for hook in runner.hooks:
            if isinstance(hook, UnreadableImagesHook):
                scalars['skipped_images'] = len(hook.known)
        for name, value in scalars.items():
            runner.message_hub.update_scalar(f'train/{name}', value)

    def _take_gradient(self, optimizer: torch.optim.Optimizer, args: tuple, kwargs: dict) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group['params'] if p.grad is not None]
        self._found['gradient_norm'] = [torch.nn.utils.get_total_norm(gradients)]

    def _take_features(self, backbone: nn.Module, inputs: tuple, output: Tensor | tuple) -> None:
        # The first call: the others are of other views of the same images.
        if 'backbone' not in self._found:
            self._found['backbone'] = [pool_features(output)]

    def _take_statistics(self, module: nn.Module, inputs: tuple) -> None:
        for name, value in module.statistics(*inputs).items():
            self._found.setdefault(name, []).append(value)

    def _summarise(self) -> dict[str, float]:
        """What was found, averaged over the calls of the step."""
        scalars = {}
        for name, values in self._found.items():
            if isinstance(values[0], Tensor) and values[0].dim() == 2:
                measured = [spread_and_rank(value) for value in values]
                for kind, numbers in zip(('std', 'rank'), zip(*measured, strict=True), strict=True):
                    scalars[f'{name}_{kind}'] = sum(numbers) / len(numbers)
            else:
                scalars[name] = float(sum(values) / len(values))
        self._found.clear()
        return scalars

    def _teacher_and_queue(self, runner: Runner) -> dict[str, float]:
        scalars = {}
        if isinstance(self._model, TeacherStudent):
            scalars['teacher_momentum'] = self._model.teacher_momentum
        for module in self._model.modules():
            if isinstance(module, ExponentialMovingAverage):
                scalars['teacher_momentum'] = _kept_share(module, runner.max_iters)
            elif isinstance(module, KeyQueue) and module.entered:
                oldest, mean, filled = module.ages(runner.iter + 1)
                scalars.update(queue_age_oldest=oldest, queue_age_mean=mean, queue_filled=filled)
        return scalars


@torch.no_grad()
def pool_features(output: Tensor | tuple) -> Tensor:
    """Average what a backbone gives over its last map or its tokens.

    Args:
        output (Tensor | tuple): Maps ``(B, C, h, w)``, tokens ``(B, L, C)`` or vectors ``(B, C)``, in a tuple or alone.
            Of several the last of the most dimensions counts; MAE gives its mask beside the tokens.

    Returns:
        Tensor: ``(B, C)``.
    """
    outputs = list(output) if isinstance(output, tuple | list) else [output]
    dimensions = max(tensor.dim() for tensor in outputs)
    last = [tensor for tensor in outputs if tensor.dim() == dimensions][-1].detach()
    if dimensions == 4:
        return last.mean(dim=(2, 3))
    return last.mean(dim=1) if dimensions == 3 else last


def data_share(message_hub: MessageHub, window: int) -> float | None:
    """Share of the time of the last ``window`` whole iterations in which the run waited for data; None before any."""
    if 'train/time' not in message_hub.log_scalars:
        return None
    took = message_hub.get_scalar('train/time').data[0][-window:]
    # The iteration at hand has waited already, but is not over yet.
    waited = message_hub.get_scalar('train/data_time').data[0][-len(took) - 1 : -1]
    return float(waited.sum() / took.sum())


def _kept_share(averaged: ExponentialMovingAverage, max_iters: int) -> float:
    """Share of the old weights that the last update kept; mmengine's momentum is the share of the new."""
    if isinstance(averaged, CosineEMA):
        step = max(int(averaged.steps) - 1, 0)
        risen = cosine_momentum(step, max_iters, 0.0)  # from 0 to 1
        return 1 - averaged.momentum - risen * (averaged.end_momentum - averaged.momentum)
    return 1 - averaged.momentum
