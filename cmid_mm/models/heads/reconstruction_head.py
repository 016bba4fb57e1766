"""Reconstruction of masked pixels from the last feature map (CMID, section III-B)."""

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..utils import MaskedCells, apply_to_views, cells_of_image, cells_of_map, take_cells

DEFAULT_LOSSES = dict(spatial=dict(type='FocalL1Loss'), frequency=dict(type='FocalFrequencyLoss'))


@MODELS.register_module()
class ReconstructionHead(BaseModule):
    """One 1 x 1 convolution to the pixels of each cell and a pixel shuffle, compared with the unmasked image.

    Args:
        in_channels (int): Channels of the backbone's last map.
        stride (int): Pixels a cell side. Defaults to 32.
        out_channels (int): Bands of the image. Defaults to 3.
        losses (dict[str, dict]): The losses to sum, each called as ``loss(pred, image, mask)`` or, if all have it,
            ``loss.of_cells(cells)``, which computes the same of :class:`MaskedCells`. Defaults to focal L1
            (``spatial``) and focal frequency (``frequency``).
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
        self.stride = stride
        self.losses = nn.ModuleDict({name: MODELS.build(cfg) for name, cfg in losses.items()})
        self.loss_weight = loss_weight

    def forward(self, feature: Tensor) -> Tensor:
        """Turn a map ``(B, C, h, w)`` into an image ``(B, 3, h * stride, w * stride)``.

        The same as ``self.decoder(feature)``. As a product of matrices whose rows are cells, the pixel shuffle after
        it moves whole rows of pixels instead of single ones.
        """
        cells = self._decode(feature.permute(0, 2, 3, 1))  # (B, h, w, 3 * stride * stride)
        pixels = cells.unflatten(-1, (-1, self.stride, self.stride))
        return pixels.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)

    def _decode(self, cells: Tensor) -> Tensor:
        convolution = self.decoder[0]
        return nn.functional.linear(cells, convolution.weight.flatten(1), convolution.bias)

    def loss(
        self,
        features: list[Tensor],
        images: list[Tensor],
        masks: list[Tensor],
        masked_cells: list[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Compute each loss as its mean over the views.

        Args:
            features (list[Tensor]): The student's map ``(B, C, h, w)`` of each masked view.
            images (list[Tensor]): The unmasked, normalised views ``(B, 3, H, W)``.
            masks (list[Tensor]): Their masks ``(B, 1, H, W)``, 1 = masked.
            masked_cells (list[Tensor], optional): Where these are whole cells, as many in each image: the masked ones'
                row-major indices ``(B, n)``. The others are then decoded on average only: the same losses for less.

        Returns:
            dict[str, Tensor]: ``loss_<name>`` of each loss.
        """
        if masked_cells is not None and all(hasattr(loss, 'of_cells') for loss in self.losses.values()):
            views = self._reconstruct_masked(features, images, masked_cells)
            values = {name: [loss.of_cells(view) for view in views] for name, loss in self.losses.items()}
        else:
            triples = list(zip(apply_to_views(self, features, together=True), images, masks, strict=True))
            values = {name: [loss(*triple) for triple in triples] for name, loss in self.losses.items()}
        return {f'loss_{name}': self.loss_weight * sum(each) / len(each) for name, each in values.items()}

    def _reconstruct_masked(
        self, features: list[Tensor], images: list[Tensor], masked_cells: list[Tensor]
    ) -> list[MaskedCells]:
        """Decode the masked cells of all views and the mean of the others in one product."""
        rows, unmasked = [], []
        for feature, index in zip(features, masked_cells, strict=True):
            cells = cells_of_map(feature)
            visible = torch.ones_like(cells[..., 0]).scatter(1, index, 0.0)
            unmasked.append(visible.mean(dim=0, dtype=self.decoder[0].bias.dtype))
            rows += [take_cells(cells, index).flatten(0, 1), (visible.unsqueeze(-1) * cells).mean(dim=0)]
        decoded = self._decode(torch.cat(rows)).split([len(part) for part in rows])

        views = []
        for i, (image, index) in enumerate(zip(images, masked_cells, strict=True)):
            pred, mean = decoded[2 * i : 2 * i + 2]
            # The bias belongs to the images where the cell is visible, not to all.
            mean = mean - (1 - unmasked[i]).unsqueeze(-1) * self.decoder[0].bias
            target = take_cells(cells_of_image(image, self.stride), index)
            views.append(
                MaskedCells(pred.unflatten(0, index.shape), target, index, mean, image.mean(dim=0), self.stride)
            )
        return views
