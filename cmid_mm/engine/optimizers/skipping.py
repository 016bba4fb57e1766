"""Leave out updates by losses that are not finite."""

from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper
from torch import Tensor


class _Skipping(OptimWrapper):
    """What :func:`make_skipping` adds to an optimizer wrapper.

    Attributes:
        skipped (bool): Whether the last batch was skipped.
    """

    skipped = False
    _left_out = False  # whether a batch of the update at hand was skipped

    def update_params(self, loss: Tensor, *args, **kwargs) -> None:
        """Do as the wrapper does, but without the backward pass if the loss of any process is not finite."""
        if super().should_update():
            self._left_out = False  # the update before this batch is over
        bad = (~loss.detach().isfinite()).float()
        all_reduce(bad, op='max')
        self.skipped = bool(bad)
        if not self.skipped:
            super().update_params(loss, *args, **kwargs)
        else:
            self._left_out = True
            self._inner_count += 1
        if self._left_out and super().should_update():
            self.zero_grad()

    def should_update(self) -> bool:
        """Whether the optimizer steps in this iteration; asked by hooks, too."""
        return not self._left_out and super().should_update()


def make_skipping(wrapper: OptimWrapper) -> None:
    """Make an optimizer wrapper of any kind leave out updates by losses that are not finite.

    All processes leave out the same ones. Of gradients that are accumulated, the whole update is left out if one of its
    batches is bad: the processes exchange gradients in the last batch alone. The check waits for the device once an
    iteration, before the backward pass.

    Args:
        wrapper (OptimWrapper): Changed in place; it gains ``skipped``, which says whether the last batch was skipped.
    """
    kind = type(wrapper)
    wrapper.__class__ = type(f'Skipping{kind.__name__}', (_Skipping, kind), {})
