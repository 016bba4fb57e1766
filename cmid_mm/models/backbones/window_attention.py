"""Windowed attention through PyTorch's fused kernels (Liu et al., ICCV 2021, section 3.2)."""

from mmpretrain.models.utils import ShiftWindowMSA
from mmpretrain.models.utils.attention import WindowMSA
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class FusedWindowMSA(WindowMSA):
    """mmpretrain's ``WindowMSA`` that trains by ``scaled_dot_product_attention``: same parameters, same result.

    GPUs then need not write the attention matrices of all windows to memory. The bias by relative position, which
    learns, and the mask of shifted windows are added to the logits, as they were. In evaluation mmpretrain's own
    operations run, so that features agree with those of the plain backbone to the last bit.
    """

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend within each window.

        Args:
            x (Tensor): Windows ``(num_windows * B, N, C)``.
            mask (Tensor, optional): ``(num_windows, N, N)``, 0 or -100, added to the logits.

        Returns:
            Tensor: ``(num_windows * B, N, C)``.
        """
        if not self.training:
            return super().forward(x, mask)
        windows, tokens, _ = x.shape
        query, key, value = self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index.flatten()]
        bias = bias.unflatten(0, (tokens, tokens)).permute(2, 0, 1)[None]  # (1, heads, N, N)
        if mask is not None:
            bias = (bias + mask[:, None]).repeat(windows // len(mask), 1, 1, 1)
        out = scaled_dot_product_attention(
            query, key, value, bias.to(query.dtype), dropout_p=self.attn_drop.p, scale=self.scale
        )
        return self.proj_drop(self.proj(out.transpose(1, 2).flatten(2)))


def fuse_window_attention(network: nn.Module) -> None:
    """Replace every ``WindowMSA`` of a Swin Transformer by :class:`FusedWindowMSA`, with parameters of its own."""
    for module in network.modules():
        if isinstance(module, ShiftWindowMSA) and type(module.w_msa) is WindowMSA:
            plain = module.w_msa
            module.w_msa = FusedWindowMSA(
                plain.embed_dims,
                plain.window_size,
                plain.num_heads,
                qkv_bias=plain.qkv.bias is not None,
                qk_scale=plain.scale,
                attn_drop=plain.attn_drop.p,
                proj_drop=plain.proj_drop.p,
                init_cfg=plain.init_cfg,
            )
