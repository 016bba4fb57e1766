"""Boxes in full precision where the network runs in half precision.

Half precision has 8 (bfloat16) or 11 (float16) bits for a coordinate, a step of 4 or of half a pixel at 1000. mmdet
makes anchors and regions in the type of the maps that it is given, and no kernel of RoIAlignRotated takes bfloat16.
Maps and predictions of these parts are float32; the convolutions that they come from are not.
"""

from mmdet.models.necks import FPN
from mmrotate.models.dense_heads import OrientedRPNHead
from mmrotate.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class FullPrecisionFPN(FPN):
    """mmdet's ``FPN`` whose maps are float32."""

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Maps ``(B, C, H, W)`` of the backbone, fine to coarse -> maps ``(B, out_channels, H, W)``."""
        return tuple(features.float() for features in super().forward(inputs))


@MODELS.register_module()
class FullPrecisionOrientedRPNHead(OrientedRPNHead):
    """mmrotate's ``OrientedRPNHead`` whose scores and offsets are float32, and its anchors with them."""

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(B, C, H, W)`` -> scores ``(B, A, H, W)`` and offsets ``(B, 6 A, H, W)`` of A anchors a place."""
        scores, offsets = super().forward_single(x)
        return scores.float(), offsets.float()
