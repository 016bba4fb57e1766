"""Mixed precision on CPUs."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Run the forward pass on a CPU under bfloat16 autocast.

    mmengine's ``AmpOptimWrapper`` asserts that there is an accelerator. Weights, gradients and losses stay in
    float32, and bfloat16 has their range, so no loss is scaled and a checkpoint is that of ``OptimWrapper``.

    Args:
        **kwargs: As ``mmengine.optim.OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast the forward pass, and leave out the synchronisation of accumulated gradients."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield


def cpu_multiplies_bfloat16() -> bool:
    """Whether this CPU is known to have instructions for bfloat16, which autocast needs to gain anything."""
    # Not every torch that runtime.txt allows need say; it is then not assumed.
    capabilities = getattr(torch.cpu, 'get_capabilities', dict)()
    return any(capabilities.get(name, False) for name in ('avx512_bf16', 'amx_bf16'))
