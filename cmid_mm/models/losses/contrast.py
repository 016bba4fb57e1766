"""Contrast of queries with their keys against a queue of other keys (CMID, section III-C; MoCo, equation 1)."""

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..utils import full_precision, no_autocast


class _InfoNCE(torch.autograd.Function):
    """InfoNCE whose gradient is computed with the loss, while the logits are there.

    What autograd would keep for the backward pass is the whole queue, which changes before then and so would have to
    be copied, and logits and probabilities of (queries x queue); this keeps one gradient as small as the queries.
    """

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, queue: Tensor, temperature: float) -> Tensor:
        own = (query * key).sum(dim=1, keepdim=True) / temperature
        others = (query @ queue).div_(temperature)
        largest = torch.maximum(own, others.amax(dim=1, keepdim=True))
        others = others.sub_(largest).exp_()
        total = others.sum(dim=1, keepdim=True) + (own - largest).exp()
        normaliser = largest + total.log()
        if ctx.needs_input_grad[0]:
            # d loss / d query = sum over keys of (probability - 1 if it is the own key) * key / temperature
            gradient = (others @ queue.T).div_(total).addcmul_((own - normaliser).expm1(), key)
            ctx.save_for_backward(gradient.div_(temperature * len(query)))
        return (normaliser - own).mean()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return ctx.saved_tensors[0] * gradient, None, None, None


@MODELS.register_module()
class InfoNCELoss(nn.Module):
    """InfoNCE: cross entropy of picking a query's own key among the keys of a queue.

    The gradient goes to the queries alone; the queue may change between the loss and the backward pass.

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
            key (Tensor): Unit vectors ``(B, C)``, the i-th belonging to the i-th query; take no gradient.
            queue (Tensor): Unit columns ``(C, K)``; take no gradient.

        Returns:
            Tensor: A scalar, the mean over queries.
        """
        with no_autocast(query):
            query, key, queue = full_precision(query, key, queue)
            return self.loss_weight * _InfoNCE.apply(query, key.detach(), queue.detach(), self.temperature)

    @torch.no_grad()
    def statistics(self, query: Tensor, key: Tensor, queue: Tensor) -> dict[str, Tensor]:
        """What ``MonitorHook`` writes of the arguments of a call, in the steps that are logged.

        Returns:
            dict[str, Tensor]: The mean cosine of queries with their own keys (``positive_similarity``) and with those
            of the queue (``negative_similarity``), and the embeddings ``query`` and ``key`` themselves.
        """
        with no_autocast(query):
            query, key, queue = full_precision(query, key, queue)
            return dict(
                positive_similarity=(query * key).sum(dim=1).mean(),
                # The mean over all pairs, without the pairs.
                negative_similarity=query.mean(dim=0) @ queue.mean(dim=1),
                query=query,
                key=key,
            )
