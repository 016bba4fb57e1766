"""ViTAE without varied-size windows: a Vision Transformer with convolutions beside its attention."""

import numpy as np
import torch
from mmcv.cnn.bricks import DropPath
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.models.utils import resize_pos_embed
from mmpretrain.registry import MODELS
from torch import Tensor, nn


class ParallelConvolution(nn.Sequential):
    """Two grouped convolutions with batch norm and SiLU between them, on a map of tokens.

    Args:
        channels (int): Channels C of a token; a group has four of them.
        hid_channels (int): Channels between the convolutions.
        kernel_size (int): Odd; 1 mixes no tokens.
    """

    def __init__(self, channels: int, hid_channels: int, kernel_size: int) -> None:
        settings = dict(kernel_size=kernel_size, padding=kernel_size // 2, groups=channels // 4)
        super().__init__(
            nn.Conv2d(channels, hid_channels, **settings),
            nn.BatchNorm2d(hid_channels),
            nn.SiLU(inplace=True),
            nn.Conv2d(hid_channels, channels, **settings),
        )

    def forward(self, tokens: Tensor, shape: tuple[int, int]) -> Tensor:
        """Convolve tokens ``(B, h * w, C)`` of a map of ``shape`` (h, w)."""
        return super().forward(tokens.transpose(1, 2).unflatten(2, shape)).flatten(2).transpose(1, 2)


@MODELS.register_module()
class ViTAE(VisionTransformer):
    r"""mmpretrain's ``VisionTransformer`` with a parallel convolution module in each block.

    With the module's :math:`P` on the patch tokens as a map (the class token, if any, takes no part), a block is

    .. math:: x \leftarrow x + Attention(LN(x)) + P(x), \qquad x \leftarrow x + MLP(LN(x))

    It is the plain ViTAE that Wang et al. pretrain by MAE on MillionAID ("Advancing Plain Vision Transformer Towards
    Remote Sensing Foundation Model", IEEE TGRS 2023). In pretraining, where visible tokens form no map, the kernels are
    1 x 1; for tasks they stand in the middle of 3 x 3 kernels, otherwise zero, which computes the same until it is
    trained. The windows of varied size of that paper's fine-tuning are not part of it.

    Args:
        pcm_kernel (int): Side of the convolutions' kernels, odd. Defaults to 3.
        drop_path_rate (float): Largest rate of stochastic depth, of attention, MLP and convolutions. Defaults to 0.
        **kwargs: As ``VisionTransformer``.
    """

    def __init__(self, pcm_kernel: int = 3, drop_path_rate: float = 0.0, **kwargs) -> None:
        super().__init__(drop_path_rate=drop_path_rate, **kwargs)
        if pcm_kernel < 1 or pcm_kernel % 2 == 0:
            raise ValueError(f'ViTAE: pcm_kernel={pcm_kernel} is no odd number; use 1 or 3')
        rates = np.linspace(0, drop_path_rate, self.num_layers)
        for layer, rate in zip(self.layers, rates, strict=True):
            layer.pcm = ParallelConvolution(self.embed_dims, 4 * self.embed_dims, pcm_kernel)
            layer.pcm_drop = DropPath(float(rate))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs of ``out_indices`` in the form that ``out_type`` names.

        Args:
            x (Tensor): Images ``(B, 3, H, W)``.

        Returns:
            tuple[Tensor, ...]: As of ``VisionTransformer``.
        """
        tokens, shape = self.patch_embed(x)
        if self.cls_token is not None:
            tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), tokens], dim=1)
        tokens = tokens + resize_pos_embed(
            self.pos_embed, self.patch_resolution, shape, self.interpolate_mode, self.num_extra_tokens
        )
        tokens = self.pre_norm(self.drop_after_pos(tokens))

        outputs = []
        for i, layer in enumerate(self.layers):
            tokens = self._block(layer, tokens, shape)
            if i == self.num_layers - 1 and self.final_norm:
                tokens = self.ln1(tokens)
            if i in self.out_indices:
                outputs.append(self._format_output(tokens, shape))
        return tuple(outputs)

    def _block(self, layer: nn.Module, tokens: Tensor, shape: tuple[int, int]) -> Tensor:
        extra = self.num_extra_tokens
        local = layer.pcm_drop(layer.pcm(tokens[:, extra:], shape))
        tokens = tokens + layer.attn(layer.ln1(tokens))
        tokens = torch.cat([tokens[:, :extra], tokens[:, extra:] + local], dim=1)
        return layer.ffn(layer.ln2(tokens), identity=tokens)
