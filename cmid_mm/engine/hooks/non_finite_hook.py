"""A loss that is not a finite number: named with the batch's files, then the run stops or the batch is skipped."""

import json
import math
from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.utils import get_ori_model
from torch import Tensor, nn

from ..optimizers.skipping import make_skipping

_ACTIONS = ('stop', 'skip')
_COUNT = 'non_finite_skips'


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Names the losses that are not finite, the iteration and the batch's files, and stops or skips the batch.

    ``<work_dir>/non_finite/iter_<N>_rank_<R>.json`` keeps the losses, the files, the last scalars and the config.

    Stopping costs nothing: the losses are read here in place of mmengine's ``RuntimeInfoHook``, which would read them.
    What is left are the checkpoints before. Skipping looks at the loss before the backward pass, which waits for
    the device, and keeps a copy of the model, for a forward pass changes queues, centres, statistics of norms, and some
    teachers and prototypes. A skipped batch leaves all of them, the weights and the optimizer as they were, on all
    processes; schedules that count iterations go on.

    Args:
        action (str): ``'stop'`` or ``'skip'``. Defaults to ``'stop'``.
        max_skips (int): Batches that may be skipped in the whole run, resumed or not. Defaults to 10.

    Raises:
        ValueError: If an argument is out of its range.
        FloatingPointError: In the run, if a loss is not finite and none may be skipped.
    """

    # Before RuntimeInfoHook: what is skipped must not be averaged into the logged losses.
    priority = 'HIGHEST'

    def __init__(self, action: str = 'stop', max_skips: int = 10) -> None:
        if action not in _ACTIONS:
            raise ValueError(f'action of NonFiniteHook is {action!r}; it must be one of {_ACTIONS}')
        if max_skips < 1:
            raise ValueError(f"max_skips of NonFiniteHook is {max_skips}; set it to 1 or more, or action to 'stop'")
        self.action = action
        self.max_skips = max_skips
        self._state: list[tuple[Tensor, Tensor]] = []  # the model's tensors, and as they were

    def before_train(self, runner: Runner) -> None:
        """Make the optimizer wrapper leave out bad batches, if they are to be skipped."""
        if self.action == 'skip':
            make_skipping(runner.optim_wrapper)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Copy the model, if bad batches are to be skipped."""
        if self.action == 'skip':
            self._state = [(tensor, tensor.clone()) for tensor in _state_of(get_ori_model(runner.model))]

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Read the losses; if one is not finite, say so, then stop or undo the batch."""
        for name, value in outputs.items():
            outputs[name] = value.item() if isinstance(value, Tensor) else value
        bad = {name: value for name, value in outputs.items() if not math.isfinite(value)}
        skipped = self.action == 'skip' and runner.optim_wrapper.skipped
        if not bad and not skipped:
            return
        what = self._describe(runner, bad, outputs, data_batch) if bad else 'the loss of another process is not finite'
        if not skipped:
            raise FloatingPointError(
                f'{what}; look at these files, lower optim_wrapper.optimizer.lr or clip the gradient '
                "(optim_wrapper.clip_grad=dict(max_norm=1.0)), or set action of NonFiniteHook to 'skip' to leave such "
                'batches out'
            )
        outputs.clear()
        with torch.no_grad():
            for tensor, before in self._state:
                tensor.copy_(before)
        count = runner.message_hub.get_info(_COUNT, 0) + 1
        runner.message_hub.update_info(_COUNT, count)
        if count > self.max_skips:
            raise FloatingPointError(
                f'{what}; {self.max_skips} batches were skipped before, as many as max_skips of NonFiniteHook allows: '
                'look at the files named in these dumps, lower optim_wrapper.optimizer.lr, or raise max_skips'
            )
        runner.logger.warning(f'{what}; the batch is skipped, number {count} of at most {self.max_skips}')

    @staticmethod
    def _describe(runner: Runner, bad: dict[str, float], losses: dict[str, float], data_batch: dict | None) -> str:
        """Write the dump and say in a phrase what is in it."""
        files = _files_of(data_batch)
        # The total is named only if it is alone: with a term, it says nothing.
        names = [name for name in bad if name != 'loss'] or list(bad)
        values = ' and '.join(f'{name} is {bad[name]}' for name in names)
        path = Path(runner.work_dir) / 'non_finite' / f'iter_{runner.iter + 1}_rank_{get_rank()}.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        scalars = {key: float(buffer.current()) for key, buffer in runner.message_hub.log_scalars.items()}
        content = dict(
            iteration=runner.iter + 1,
            rank=get_rank(),
            losses=_as_json(losses),
            files=files,
            last_scalars=_as_json(scalars),
            config=runner.cfg.pretty_text,
        )
        path.write_text(json.dumps(content, indent=1, allow_nan=False))
        shown = f' (files {files[0]!r} to {files[-1]!r})' if files else ''
        return f'iteration {runner.iter + 1}: {values} for a batch of {len(files)} images{shown}, all named in {path}'


def _state_of(model: nn.Module) -> list[Tensor]:
    """Everything that a forward pass may change: SwAV's normalises prototypes, and its queue is no buffer."""
    held = [value for module in model.modules() for value in vars(module).values() if isinstance(value, Tensor)]
    return [tensor.detach() for tensor in (*model.parameters(), *model.buffers(), *held)]


def _files_of(data_batch: dict | None) -> list[str]:
    samples = (data_batch or {}).get('data_samples') or []
    return [str(sample.img_path) for sample in samples if 'img_path' in sample]


def _as_json(values: dict[str, float]) -> dict[str, float | str]:
    """JSON has no number for what is not finite."""
    return {name: value if math.isfinite(value) else str(value) for name, value in values.items()}
