"""Count the collectives of a block of code, and the bytes that this process gives to them."""

import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PACKAGE = str(Path(__file__).resolve().parents[2] / 'cmid_mm')
TORCH = str(Path(torch.__file__).parent)
# What torch starts by itself, by the file that does.
CAUSES = {
    f'{TORCH}/nn/parallel/distributed.py': 'buffers',
    f'{TORCH}/nn/modules/_functions.py': 'batch norm',
}
# These take first what is to be filled, then what is sent; of the others the first argument is sent.
FILL_FIRST = ('allgather', '_allgather', 'reduce_scatter', '_reduce_scatter', 'alltoall', 'gather', 'scatter')


class CollectiveCounter(TorchDispatchMode):
    """Counts while it is entered, in the thread that enters it and in the backward pass that it starts.

    Collectives are operators of torch, whoever calls them, so those that ``DistributedDataParallel`` starts from C++
    are seen too. Bytes are those of the tensors that are handed over: what goes over the wire depends on the
    algorithm. A ring of n processes sends 2 (n - 1) / n times as much for an all-reduce, n - 1 times for an all-gather.

    Attributes:
        calls (Counter): Number of collectives by (cause, operator).
        bytes (Counter): Bytes handed over, likewise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.bytes: Counter[tuple[str, str]] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == 'c10d':
            name = func.overloadpacket.__name__
            key = _cause(sys._getframe(1)), name.strip('_')
            sent = args[1 if name.startswith(FILL_FIRST) else 0]
            self.calls[key] += 1
            self.bytes[key] += sum(t.numel() * t.element_size() for t in tree_leaves(sent) if isinstance(t, Tensor))
        return func(*args, **(kwargs or {}))

    def rows(self) -> list[dict]:
        """One ``{'cause', 'collective', 'calls', 'bytes'}`` for each kind, most bytes first."""
        return [
            dict(cause=cause, collective=name, calls=self.calls[cause, name], bytes=size)
            for (cause, name), size in self.bytes.most_common()
        ]


def _cause(frame: FrameType | None) -> str:
    """Which part of the step started a collective: the class or function of this package that called it, if any."""
    called_from_python = False
    while frame is not None:
        file, function = frame.f_code.co_filename, frame.f_code.co_name
        if file in CAUSES:
            return CAUSES[file]
        called_from_python |= file.startswith(f'{TORCH}/distributed/')
        in_backward = function == 'backward' and 'ctx' in frame.f_locals
        # A comprehension is a function of its own up to Python 3.11.
        if (in_backward or file.startswith(PACKAGE)) and not function.startswith('<'):
            owner = frame.f_locals.get('ctx' if in_backward else 'self')
            return function if owner is None else type(owner).__name__.lstrip('_')
        frame = frame.f_back
    # The reducer of DDP runs in C++.
    return 'other' if called_from_python else 'gradients'
