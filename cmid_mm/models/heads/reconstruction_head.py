"""Reconstruction of masked pixels from the last feature map (CMID, section III-B)."""

from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..utils import apply_to_views

DEFAULT_LOSSES = dict(spatial=dict(type='FocalL1Loss'), frequency=dict(type='FocalFrequencyLoss'))


@MODELS.register_module()
class ReconstructionHead(BaseModule):
    """One 1 x 1 convolution to the pixels of each cell and a pixel shuffle, compared with the unmasked image.

    Args:
        in_channels (int): Channels of the backbone's last map.
        stride (int): Pixels a cell side. Defaults to 32.
        out_channels (int): Bands of the image. Defaults to 3.
        losses (dict[str, dict]): The losses to sum, each called as ``loss(pred, image, mask)``. Defaults to focal
            L1 (``spatial``) and focal frequency (``frequency``).
        loss_weight (float): Factor of all of them. Defaults to 1.
        init_cfg (dict or list[dict], optional): Initialisation.
    """

    def __init__(
        self,
        in_channels: int,
        stride: int = 32,
        out_channels: int = 3,
        losses: dict[str, dict] = DEFAULT_LOSSES,
        loss_weight: float = 1.0,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.decoder = nn.Sequential(
            nn.Conv2d(in_channels, out_channels * stride**2, kernel_size=1), nn.PixelShuffle(stride)
        )
        self.losses = nn.ModuleDict({name: MODELS.build(cfg) for name, cfg in losses.items()})
        self.loss_weight = loss_weight

    def forward(self, feature: Tensor) -> Tensor:
        """Turn a map ``(B, C, h, w)`` into an image ``(B, 3, h * stride, w * stride)``.

        The same as ``self.decoder(feature)``. As a product of matrices whose rows are cells, the pixel shuffle after
        it moves whole rows of pixels instead of single ones.
        """
        convolution, shuffle = self.decoder
        cells = nn.functional.linear(
            feature.permute(0, 2, 3, 1), convolution.weight.flatten(1), convolution.bias
        )  # (B, h, w, 3 * stride * stride)
        size = shuffle.upscale_factor
        pixels = cells.unflatten(-1, (-1, size, size)).permute(0, 3, 1, 4, 2, 5)  # (B, 3, h, stride, w, stride)
        return pixels.flatten(4, 5).flatten(2, 3)

    def loss(self, features: list[Tensor], images: list[Tensor], masks: list[Tensor]) -> dict[str, Tensor]:
        """Compute each loss as its mean over the views.

        Args:
            features (list[Tensor]): The student's map ``(B, C, h, w)`` of each masked view.
            images (list[Tensor]): The unmasked, normalised views ``(B, 3, H, W)``.
            masks (list[Tensor]): Their masks ``(B, 1, H, W)``, 1 = masked.

        Returns:
            dict[str, Tensor]: ``loss_<name>`` of each loss.
        """
        predictions = apply_to_views(self, features, together=True)
        triples = list(zip(predictions, images, masks, strict=True))
        return {
            f'loss_{name}': self.loss_weight * sum(loss(*triple) for triple in triples) / len(triples)
            for name, loss in self.losses.items()
        }
