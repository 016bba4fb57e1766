"""Keep sums and logarithms out of half precision."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(*tensors: Tensor) -> list[Tensor]:
    """Return the tensors in float32 where they are half precision, unchanged otherwise (float64 stays)."""
    return [t.float() if t.dtype in (torch.float16, torch.bfloat16) else t for t in tensors]


def no_autocast(tensor: Tensor) -> AbstractContextManager:
    """Context in which autocast is off for the device of ``tensor``."""
    device = tensor.device.type
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()
