"""Contrast of queries with their keys against a queue of other keys (CMID, section III-C; MoCo, equation 1)."""

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..utils import full_precision, no_autocast


@MODELS.register_module()
class InfoNCELoss(nn.Module):
    """InfoNCE: cross entropy of picking a query's own key among the keys of a queue.

    Args:
        temperature (float): Divisor of the cosines. Defaults to 0.2.
        loss_weight (float): Factor of the loss. Defaults to 1.
    """

    def __init__(self, temperature: float = 0.2, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature
        self.loss_weight = loss_weight

    def forward(self, query: Tensor, key: Tensor, queue: Tensor) -> Tensor:
        """Compute the loss in at least float32.

        Args:
            query (Tensor): Unit vectors ``(B, C)``.
            key (Tensor): Unit vectors ``(B, C)``, the i-th belonging to the i-th query.
            queue (Tensor): Unit columns ``(C, K)``.

        Returns:
            Tensor: A scalar, the mean over queries.
        """
        with no_autocast(query):
            query, key, queue = full_precision(query, key, queue)
            own = (query * key).sum(dim=1, keepdim=True)
            logits = torch.cat([own, query @ queue], dim=1) / self.temperature
            own_index = torch.zeros(len(query), dtype=torch.long, device=query.device)
            return self.loss_weight * nn.functional.cross_entropy(logits, own_index)
