"""Joins: the maps of two dates become the maps that a decode head takes."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class AbsoluteDifference(BaseModule):
    """``|first - second|`` of each pair of maps ``(B, C, h, w)``; the order of the dates makes no difference."""

    def forward(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Join maps ``(B, C, h, w)`` to ``(B, C, h, w)``."""
        return tuple((one - other).abs() for one, other in zip(first, second, strict=True))


@MODELS.register_module()
class Concatenation(BaseModule):
    """The channels of the first date, then those of the second: heads and necks take twice as many."""

    def forward(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Join maps ``(B, C, h, w)`` to ``(B, 2 * C, h, w)``."""
        return tuple(torch.cat(pair, dim=1) for pair in zip(first, second, strict=True))


@MODELS.register_module()
class KeepDates(BaseModule):
    """Hands the maps of both dates on, for heads that join them themselves, such as :class:`BITHead`."""

    def forward(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Stack maps ``(B, C, h, w)`` to ``(B, 2, C, h, w)``."""
        return tuple(torch.stack(pair, dim=1) for pair in zip(first, second, strict=True))
