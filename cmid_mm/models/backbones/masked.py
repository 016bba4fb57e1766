"""Backbones that mark masked cells with a learned token (CMID, section III-A; spec section 3)."""

import torch
from mmpretrain.models.backbones import ConvNeXt, ResNet, SwinTransformer
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from .window_attention import fuse_window_attention

MASK_MODES = ('add', 'replace')


class MaskedBackbone:
    r"""Adapter that lets a backbone of mmpretrain be told which cells of its input are masked.

    The stem's output :math:`x` of shape ``(B, C, h, w)`` becomes, with a learned token :math:`m` of C values
    (zeros at the start) and the mask (1 = masked),

    - ``mask_mode='add'``: :math:`x + m \cdot mask`;
    - ``mask_mode='replace'``: :math:`x (1 - mask) + m \cdot mask`.

    Without a mask the plain backbone runs, so pretraining and every downstream task share one class and
    one set of weights; ``mask_token`` is the only tensor that the plain class does not have.

    To adapt another backbone, inherit from this class and then from the backbone, which ``plain`` names too; name the
    module that ends the stem in ``stem``, and say in ``mask_channels`` and ``out_channels`` how many channels the stem
    and the last map have. The stem's output may be a map ``(B, C, h, w)``, tokens
    ``(B, h * w, C)`` or a tuple whose first item is one of the two.

    Args:
        mask_mode (str): ``'add'`` or ``'replace'``. Defaults to ``'add'``.
    """

    plain: type[nn.Module]
    stem: str
    # Settings without which the plain class would not give a stride-32 map.
    plain_settings: dict = {}

    @classmethod
    def plain_config(cls, cfg: dict) -> dict:
        """The config of the plain backbone that computes the same, for use in any task."""
        settings = {key: value for key, value in cfg.items() if key not in ('mask_mode', 'init_cfg')}
        return cls.plain_settings | settings | dict(type=f'mmpretrain.{cls.plain.__name__}')

    def __init__(self, *args, mask_mode: str = 'add', **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if mask_mode not in MASK_MODES:
            raise ValueError(
                f"{type(self).__name__}: mask_mode={mask_mode!r} is not one of {MASK_MODES}; use 'add' as CMID does"
            )
        self.mask_mode = mask_mode
        self.mask_token = nn.Parameter(torch.zeros(self.mask_channels))
        self._mask: Tensor | None = None
        self.get_submodule(self.stem).register_forward_hook(self._mark_masked_cells)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, ...]:
        """Compute the feature maps of ``out_indices``.

        Args:
            x (Tensor): Images ``(B, 3, H, W)``.
            mask (Tensor, optional): ``(B, h, w)`` at the stem's resolution (H / 4), 1 = masked.

        Returns:
            tuple[Tensor, ...]: Maps ``(B, C, H / stride, W / stride)``, the last of stride 32.
        """
        self._mask = mask
        try:
            return super().forward(x)
        finally:
            self._mask = None

    def forget_mask_token(self) -> None:
        """Drop the token, as a teacher does, which never sees a mask."""
        self.mask_token = None

    def _mark_masked_cells(self, module: nn.Module, args: tuple, output: Tensor | tuple):
        if self._mask is None:
            return output
        if isinstance(output, tuple):
            return (self._blend(output[0]), *output[1:])
        return self._blend(output)

    def _blend(self, x: Tensor) -> Tensor:
        mask = self._mask.to(x.dtype)
        token = self.mask_token.to(x.dtype)
        if x.dim() == 4:
            fits = mask.shape == (x.shape[0], *x.shape[2:])
            mask, token = mask.unsqueeze(1), token.view(1, -1, 1, 1)
        else:
            fits = mask.shape[0] == x.shape[0] and mask[0].numel() == x.shape[1]
            mask = mask.flatten(1).unsqueeze(-1)
        if not fits:
            raise ValueError(
                f'{type(self).__name__}: the mask has shape {tuple(self._mask.shape)} but the stem {self.stem!r} gives '
                f'{tuple(x.shape)}; make the mask at a quarter of the image size'
            )
        return torch.lerp(x, token.expand_as(x), mask) if self.mask_mode == 'replace' else x + token * mask


@MODELS.register_module()
class MaskedResNet(MaskedBackbone, ResNet):
    """mmpretrain's ResNet, masked after the max-pooling (64 channels, stride 4)."""

    plain = ResNet
    stem = 'maxpool'

    @property
    def mask_channels(self) -> int:
        return self.stem_channels

    @property
    def out_channels(self) -> int:
        return self.feat_dim


@MODELS.register_module()
class MaskedSwinTransformer(MaskedBackbone, SwinTransformer):
    """mmpretrain's Swin Transformer, masked after the patch embedding (stride 4), its attention by fused kernels."""

    plain = SwinTransformer
    stem = 'patch_embed'

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        fuse_window_attention(self)

    @property
    def mask_channels(self) -> int:
        return self.embed_dims

    @property
    def out_channels(self) -> int:
        return self.num_features[-1]


@MODELS.register_module()
class MaskedConvNeXt(MaskedBackbone, ConvNeXt):
    """mmpretrain's ConvNeXt, masked after its stem (stride 4), with the last map kept instead of pooled."""

    plain = ConvNeXt
    stem = 'downsample_layers.0'
    plain_settings = dict(gap_before_final_norm=False)

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **self.plain_settings | kwargs)

    @property
    def mask_channels(self) -> int:
        return self.channels[0]

    @property
    def out_channels(self) -> int:
        return self.channels[-1]
