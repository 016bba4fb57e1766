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
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f'KeyQueue: size={size} keeps no keys; set queue_size to 1 or more')
        self.register_buffer('keys', nn.functional.normalize(torch.randn(channels, size), dim=0))
        self.register_buffer('pointer', torch.zeros(1, dtype=torch.long))

    @torch.no_grad()
    def enter(self, *keys: Tensor) -> None:
        """Enter keys ``(B, C)`` of every process: all of the first argument, in order of rank, then the next.

        All arguments have one shape, so that one exchange between processes carries them all.
        """
        # (processes, arguments, B, C) -> all processes of the first argument, then of the next
        gathered = torch.stack(all_gather(torch.stack(keys)))
        entering = gathered.transpose(0, 1).flatten(0, 2).to(self.keys.dtype)
        size, count = self.keys.shape[1], entering.shape[0]
        first = max(count - size, 0)
        columns = (self.pointer + torch.arange(first, count, device=entering.device)) % size
        self.keys.index_copy_(1, columns, entering[first:].T)
        self.pointer.copy_((self.pointer + count) % size)
