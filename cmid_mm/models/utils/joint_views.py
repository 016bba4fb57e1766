"""Several views in one pass, where that changes nothing."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def mixes_samples(module: nn.Module) -> bool:
    """Whether what a module gives for a sample depends on the rest of the batch, as with batch norm in training."""
    return any(isinstance(part, _BatchNorm) for part in module.modules())


def apply_to_views(function: Callable[..., Tensor], *inputs: list[Tensor], together: bool) -> list[Tensor]:
    """Give several views to a function, in one call or in one call each.

    Args:
        function (Callable): From one tensor ``(B, ...)`` of each of ``inputs`` to a tensor ``(B, ...)``.
        *inputs (list[Tensor]): Each with a tensor ``(B, ...)`` for each view.
        together (bool): Whether all views make one batch.

    Returns:
        list[Tensor]: What the function gives for each view.
    """
    if not together:
        return [function(*view) for view in zip(*inputs, strict=True)]
    sizes = [len(view) for view in inputs[0]]
    return list(function(*(torch.cat(views) for views in inputs)).split(sizes))


def layers_on_views(layers: nn.Sequential, views: list[Tensor]) -> list[Tensor]:
    """Give several views to a row of layers: together, but one after the other to layers that mix samples.

    The result is that of ``[layers(view) for view in views]``, running statistics included, while the products with
    weights, which cost most, are computed once.

    Args:
        layers (nn.Sequential): The layers.
        views (list[Tensor]): A tensor ``(N, ...)`` for each view.

    Returns:
        list[Tensor]: What the layers make of each view.
    """
    sizes = [len(view) for view in views]
    joint = torch.cat(views)
    for layer in layers:
        joint = torch.cat([layer(view) for view in joint.split(sizes)]) if mixes_samples(layer) else layer(joint)
    return list(joint.split(sizes))
