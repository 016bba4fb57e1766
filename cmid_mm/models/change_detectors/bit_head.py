"""Bitemporal image transformer (Chen, Qi and Shi, Remote Sensing Image Change Detection with Transformers, TGRS 2021).

CMID, section IV-F, takes it to compare backbones: the third stage of the backbone, at stride 16, feeds it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional


class SemanticTokenizer(BaseModule):
    """Pixels -> a few tokens: means of the pixels, weighted by attention maps (section III-B).

    Args:
        channels (int): Channels of a pixel and of a token.
        num_tokens (int): Attention maps, and so tokens.
    """

    def __init__(self, channels: int, num_tokens: int) -> None:
        super().__init__()
        self.attention = nn.Conv2d(channels, num_tokens, 1, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pool pixels ``(B, C, h, w)`` to tokens ``(B, L, C)``."""
        weights = self.attention(pixels).flatten(2).softmax(dim=-1)
        return weights @ pixels.flatten(2).transpose(1, 2)


class PreNormLayer(BaseModule):
    """Multi-head attention to ``memory``, then a two-layer MLP, each after layer norm and beside a shortcut.

    The norm before the attention is the same for the queries and for what they attend to.

    Args:
        channels (int): Channels C of queries and memory.
        num_heads (int): Heads.
        head_channels (int): Channels of a head.
        mlp_channels (int): Hidden channels of the MLP.
    """

    def __init__(self, channels: int, num_heads: int, head_channels: int, mlp_channels: int) -> None:
        super().__init__()
        inner = num_heads * head_channels
        self.num_heads = num_heads
        self.attention_norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, inner, bias=False)
        self.key_value = nn.Linear(channels, 2 * inner, bias=False)
        self.project = nn.Linear(inner, channels)
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, mlp_channels), nn.GELU(), nn.Linear(mlp_channels, channels)
        )

    def forward(self, queries: Tensor, memory: Tensor) -> Tensor:
        """Update queries ``(B, N, C)`` from memory ``(B, M, C)``; self-attention where both are the same."""
        query = self.query(self.attention_norm(queries))
        key, value = self.key_value(self.attention_norm(memory)).chunk(2, dim=-1)
        heads = [part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in (query, key, value)]
        attended = functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        queries = queries + self.project(attended)
        return queries + self.mlp(queries)


@MODELS.register_module()
class BITHead(BaseDecodeHead):
    """Few tokens stand for each date; an encoder relates all of them, a decoder brings them back to the pixels.

    Maps are doubled in size and brought to ``channels``; tokens of both dates, with learned positions, pass the encoder
    together; pixels of each date attend to the tokens of that date; the classifier takes the absolute difference,
    enlarged to the size of the images: 2 x 4 times for maps of stride 16.

    The logits do not change when the dates are swapped, up to what the learned positions make of their order: they
    are the same when the halves of ``positions`` are swapped too.

    Args:
        in_channels (int): Channels of one date in the map that ``in_index`` chooses.
        channels (int): Channels of pixels and tokens. Defaults to 32.
        num_tokens (int): Tokens a date. Defaults to 4.
        num_heads (int): Heads of every attention. Defaults to 8.
        head_channels (int): Channels of a head. Defaults to 64.
        mlp_channels (int): Hidden channels of every MLP. Defaults to 64.
        encoder_layers (int): Layers over the tokens of both dates. Defaults to 1.
        decoder_layers (int): Layers from pixels to tokens. Defaults to 8.
        in_index (int): Which of the maps: 2 is the third stage. Defaults to 2.
        stride (int): Pixels of the image a cell of that map, 4, 8, 16 or 32. Defaults to 16.
        norm_cfg (dict): Norm in the classifier. Defaults to batch norm.
        dropout_ratio (float): Dropout before the last convolution. Defaults to 0.
        **kwargs: Those of ``BaseDecodeHead``, such as ``num_classes`` and ``loss_decode``.

    Raises:
        ValueError: If ``stride`` is not one of the four.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 32,
        num_tokens: int = 4,
        num_heads: int = 8,
        head_channels: int = 64,
        mlp_channels: int = 64,
        encoder_layers: int = 1,
        decoder_layers: int = 8,
        in_index: int = 2,
        stride: int = 16,
        norm_cfg: dict | None = None,
        dropout_ratio: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            in_channels,
            channels,
            in_index=in_index,
            norm_cfg=norm_cfg or dict(type='BN'),
            dropout_ratio=dropout_ratio,
            **kwargs,
        )
        if stride not in (4, 8, 16, 32):
            raise ValueError(
                f'BITHead: stride={stride} is not 4, 8, 16 or 32; give that of the map in_index={in_index}'
            )
        self.stride = stride

        def layers(number: int) -> nn.ModuleList:
            return nn.ModuleList(PreNormLayer(channels, num_heads, head_channels, mlp_channels) for _ in range(number))

        self.reduce = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.tokenizer = SemanticTokenizer(channels, num_tokens)
        self.positions = nn.Parameter(torch.randn(2 * num_tokens, channels))
        self.encoder = layers(encoder_layers)
        self.decoder = layers(decoder_layers)
        self.classifier = ConvModule(
            channels, channels, 3, padding=1, bias=False, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg
        )
        # The second layer of the classifier; the base class makes one of 1 x 1.
        self.conv_seg = nn.Conv2d(channels, self.out_channels, 3, padding=1)

    def difference(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute the absolute difference of the dates after the decoder.

        Args:
            inputs (Sequence[Tensor]): Maps ``(B, 2, C, h, w)`` of both dates, as ``KeepDates`` hands them on.

        Returns:
            Tensor: ``(B, channels, 2 * h, 2 * w)``.

        Raises:
            ValueError: If the map has no dimension of two dates.
        """
        maps = self._transform_inputs(inputs)
        if maps.dim() != 5 or maps.shape[1] != 2:
            raise ValueError(
                f'BITHead takes both dates, (B, 2, C, h, w), but got {tuple(maps.shape)}; set '
                "join=dict(type='KeepDates') in the model"
            )
        # The dates lie along the batch: first all first ones, then all second ones.
        pixels = torch.cat(maps.unbind(1))
        pixels = self.reduce(functional.interpolate(pixels, scale_factor=2, mode='nearest'))
        size = pixels.shape[-2:]
        tokens = torch.cat(self.tokenizer(pixels).chunk(2), dim=1) + self.positions
        for layer in self.encoder:
            tokens = layer(tokens, tokens)
        tokens = torch.cat(tokens.chunk(2, dim=1))
        pixels = pixels.flatten(2).transpose(1, 2)
        for layer in self.decoder:
            pixels = layer(pixels, tokens)
        first, second = pixels.transpose(1, 2).unflatten(2, size).chunk(2)
        return (first - second).abs()

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute logits ``(B, num_classes, stride * h, stride * w)`` from maps ``(B, 2, C, h, w)``."""
        enlarged = functional.interpolate(self.difference(inputs), scale_factor=2, mode='nearest')
        # The map was doubled before the tokens, and here again.
        enlarged = functional.interpolate(
            enlarged, scale_factor=self.stride // 4, mode='bilinear', align_corners=self.align_corners
        )
        return self.cls_seg(self.classifier(enlarged))
