"""Reconstruction losses in space and in frequency (CMID, section III-B; spec section 4)."""

import torch
from mmengine.dist import all_reduce, get_world_size
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..utils import MaskedCells, full_precision, no_autocast


def focal_l1(pred: Tensor, target: Tensor, alpha: float = 0.2, gamma: float = 1.0) -> Tensor:
    r"""Element-wise L1 distance that weighs large errors more.

    .. math:: (2\,\sigma(\alpha |pred - target|) - 1)^\gamma \, |pred - target|

    The weight takes part in the gradient.
    """
    error = (pred - target).abs()
    return (2 * torch.sigmoid(alpha * error) - 1) ** gamma * error


@MODELS.register_module()
class FocalL1Loss(nn.Module):
    """Focal L1 loss over masked pixels: sum over masked values / (masked pixels + 1e-5) / C.

    Args:
        alpha (float): Steepness of the weight in the error. Defaults to 0.2.
        gamma (float): Power of the weight. Defaults to 1.
        loss_weight (float): Factor of the loss. Defaults to 1.
    """

    def __init__(self, alpha: float = 0.2, gamma: float = 1.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma
        self.loss_weight = loss_weight

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Compute the loss in at least float32.

        Args:
            pred (Tensor): Reconstruction ``(B, C, H, W)``.
            target (Tensor): Normalised image ``(B, C, H, W)``.
            mask (Tensor): ``(B, 1, H, W)``, 1 = masked.

        Returns:
            Tensor: A scalar.
        """
        with no_autocast(pred):
            pred, target, mask = full_precision(pred, target, mask)
            error = focal_l1(pred, target, self.alpha, self.gamma) * mask
            return self.loss_weight * error.sum() / (mask.sum() + 1e-5) / pred.shape[1]

    def of_cells(self, cells: MaskedCells) -> Tensor:
        """Compute the same from the masked cells of a view."""
        with no_autocast(cells.pred):
            pred, target = full_precision(cells.pred, cells.target)
            error = focal_l1(pred, target, self.alpha, self.gamma).sum()
            channels = cells.image.shape[0]
            return self.loss_weight * error / (target.numel() / channels + 1e-5) / channels


@MODELS.register_module()
class FocalFrequencyLoss(nn.Module):
    r"""Focal frequency loss between batch averages of reconstruction and image.

    With :math:`M_f = M + \epsilon (1 - M)` the reconstruction becomes
    :math:`r M_f + \tfrac12 (sg(r) + x) (1 - M_f)`; it and the image are averaged over the batch, and the squared
    distance D of their orthonormal spectra is weighed by :math:`W = \log(1 + \sqrt D)`, divided by its maximum,
    clamped to [0, 1] and detached. The loss is the mean of W D. The transform is linear, so the difference of the
    averages is transformed once (Jiang et al., ICCV 2021, give the loss for single images).

    Args:
        unmasked_weight (float): The share :math:`\epsilon` that unmasked pixels keep. Defaults to 0.001.
        across_processes (bool): Average over the images of all processes, so that the loss does not depend on how
            many there are; the released code averages over one process. Defaults to True.
        loss_weight (float): Factor of the loss. Defaults to 1.
    """

    def __init__(
        self,
        unmasked_weight: float = 0.001,
        across_processes: bool = True,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.unmasked_weight = unmasked_weight
        self.across_processes = across_processes
        self.loss_weight = loss_weight

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Compute the loss in at least float32.

        Args:
            pred (Tensor): Reconstruction ``(B, C, H, W)``.
            target (Tensor): Normalised image ``(B, C, H, W)``.
            mask (Tensor): ``(B, 1, H, W)``, 1 = masked.

        Returns:
            Tensor: A scalar.
        """
        with no_autocast(pred):
            pred, target, mask = full_precision(pred, target, mask)
            share = mask + self.unmasked_weight * (1 - mask)
            mixed = pred * share + (pred.detach() + target) / 2 * (1 - share)
            return self._of_difference((mixed - target).mean(dim=0))

    def of_cells(self, cells: MaskedCells) -> Tensor:
        """Compute the same from the masked cells of a view and the average of the others."""
        with no_autocast(cells.pred):
            pred, target, unmasked, image = full_precision(cells.pred, cells.target, cells.unmasked_pred, cells.image)
            # In masked cells the mixture is the reconstruction; elsewhere, r - x counts as below (see `forward`).
            value = (1 + self.unmasked_weight) / 2 * unmasked.detach()
            gradient = self.unmasked_weight * (unmasked - unmasked.detach())
            visible = image - cells.mean_image(target)
            difference = cells.mean_image(pred - target, value + gradient)
            return self._of_difference(difference - (1 + self.unmasked_weight) / 2 * visible)

    def _of_difference(self, difference: Tensor) -> Tensor:
        """The loss of the mean difference ``(C, H, W)`` of mixture and image in this process."""
        if self.across_processes and get_world_size() > 1:
            # Every process computes the same loss of the same mean, so the gradient need not be exchanged too.
            mean = difference.detach().clone()
            all_reduce(mean, op='mean')
            difference = mean + (difference - difference.detach())
        spectrum = torch.view_as_real(torch.fft.fft2(difference, norm='ortho'))
        distance = spectrum.square().sum(dim=-1)
        with torch.no_grad():
            weight = torch.log1p(distance.sqrt())
            weight = (weight / weight.max()).nan_to_num(nan=0.0).clamp(0, 1)
        return self.loss_weight * (weight * distance).mean()
