"""Projection of single cells onto prototypes (CMID, section III-D; DINO's head with 1 x 1 convolutions)."""

from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..utils import apply_to_views, layers_on_views


@MODELS.register_module()
class PrototypeNeck(BaseModule):
    """Three linear layers, L2 normalisation and cosines to learned prototypes.

    On single cells a 1 x 1 convolution is a linear layer, so the layers here take cells in their last dimension.
    The first two layers are followed by batch norm (if any) and GELU. The prototypes are a linear layer without
    bias whose rows are kept at unit length (weight normalisation with its gain fixed at 1).

    Args:
        in_channels (int): Channels of a cell.
        hid_channels (int): Width of the two hidden layers. Defaults to 2048.
        out_channels (int): Channels that are compared with the prototypes. Defaults to 256.
        num_prototypes (int): Number K of prototypes. Defaults to 2048.
        with_norm (bool): Batch norm in the hidden layers: yes for ResNet, no for Swin. Defaults to True.
        init_cfg (dict or list[dict], optional): Initialisation; by default truncated normal of deviation 0.02.
    """

    def __init__(
        self,
        in_channels: int,
        hid_channels: int = 2048,
        out_channels: int = 256,
        num_prototypes: int = 2048,
        with_norm: bool = True,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='TruncNormal', layer='Linear', std=0.02, bias=0))
        layers = []
        for width in (in_channels, hid_channels):
            norm = [nn.BatchNorm1d(hid_channels)] if with_norm else []
            layers += [nn.Linear(width, hid_channels), *norm, nn.GELU()]
        self.mlp = nn.Sequential(*layers, nn.Linear(hid_channels, out_channels))
        self.prototypes = nn.Linear(out_channels, num_prototypes, bias=False)

    def forward(self, cells: Tensor) -> Tensor:
        """Compare cells ``(..., C)`` with the prototypes: cosines ``(..., K)``."""
        return self.forward_views([cells])[0]

    def forward_views(self, views: list[Tensor]) -> list[Tensor]:
        """Do the same for several views in one pass; batch norm still sees one view at a time."""
        projected = layers_on_views(self.mlp, [cells.flatten(0, -2) for cells in views])
        directions = nn.functional.normalize(self.prototypes.weight, dim=-1)

        def cosines(x: Tensor) -> Tensor:
            return nn.functional.linear(nn.functional.normalize(x, dim=-1), directions)

        rows = apply_to_views(cosines, projected, together=True)
        return [row.view(*cells.shape[:-1], -1) for row, cells in zip(rows, views, strict=True)]
