"""A first-in-first-out memory of teacher keys (MoCo, section 3.2)."""

import torch
from mmengine.dist import all_gather
from torch import Tensor, nn


class KeyQueue(nn.Module):
    """Keep the last ``size`` keys of all processes as unit columns.

    A batch larger than what is left wraps around; of a batch larger than the whole queue the last ``size`` keys stay.
    The pointer lives on the device, so that entering keys never waits for it.

    Args:
        channels (int): Length C of a key.
        size (int): Number K of keys kept.

    Attributes:
        keys (Tensor): Buffer ``(C, K)``; random unit columns until the first keys arrive.
        pointer (Tensor): Buffer ``(1, )``; the column that the next key takes.
        entered (int): Keys that the last call of :meth:`enter` entered; 0 before the first.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f'KeyQueue: size={size} keeps no keys; set queue_size to 1 or more')
        self.register_buffer('keys', nn.functional.normalize(torch.randn(channels, size), dim=0))
        self.register_buffer('pointer', torch.zeros(1, dtype=torch.long))
        self.entered = 0

    @torch.no_grad()
    def enter(self, *keys: Tensor) -> None:
        """Enter keys ``(B, C)`` of every process: all of the first argument, in order of rank, then the next.

        All arguments have one shape, so that one exchange between processes carries them all.
        """
        # (processes, arguments, B, C) -> all processes of the first argument, then of the next
        gathered = torch.stack(all_gather(torch.stack(keys)))
        entering = gathered.transpose(0, 1).flatten(0, 2).to(self.keys.dtype)
        size, count = self.keys.shape[1], entering.shape[0]
        self.entered = count
        first = max(count - size, 0)
        columns = (self.pointer + torch.arange(first, count, device=entering.device)) % size
        self.keys.index_copy_(1, columns, entering[first:].T)
        self.pointer.copy_((self.pointer + count) % size)

    def ages(self, steps: int) -> tuple[float, float, float]:
        """How old the keys are after a number of steps that all entered as many keys as the last one.

        Args:
            steps (int): Steps since the queue was random, 1 or more, the last one included.

        Returns:
            tuple[float, float, float]: Steps since the oldest key entered, and since the keys entered on average, 0 for
            those of the last step; and the share of the columns that hold keys, not random vectors.
        """
        size = self.keys.shape[1]
        held = min(size, steps * self.entered)
        full, rest = divmod(held, self.entered)  # full steps' keys, and what is left of an older step's
        total = self.entered * full * (full - 1) / 2 + rest * full
        return float(full if rest else full - 1), total / held, held / size
