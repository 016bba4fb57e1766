"""Contrastive Mask Image Distillation (Muhtar et al., IEEE TGRS 2023, arXiv:2304.09670)."""

import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from ..utils import apply_to_views, fill_masked, mixes_samples, pixel_mask
from .teacher_student import TeacherStudent


@MODELS.register_module()
class CMID(TeacherStudent):
    r"""CMID: reconstruct masked pixels, tell views apart, and agree on matched cells.

    For both views v: :math:`z_v = f(masked_v, mask_v)` by the student, :math:`t_v = f'(v)` by the teacher, and

    .. math:: L = L_{reconstruction}(z, v) + L_{global}(z, t) + L_{local}(z, t)

    A head left out (``None``) leaves out its loss. Heads need not repeat ``in_channels``: it is the backbone's.

    Args:
        backbone (dict): A masked backbone, such as ``MaskedResNet``; its last map has stride 32.
        reconstruction_head (dict, optional): ``ReconstructionHead``.
        global_head (dict, optional): ``GlobalContrastHead``.
        local_head (dict, optional): ``LocalDistillationHead``.
        joint_views (bool): Pass both views through a backbone with batch norm as one batch, as those without are
            passed anyway. Its statistics are then of both views together, so results differ. Defaults to False.
        **kwargs: As :class:`TeacherStudent`: ``base_momentum``, ``channels_last``, ``data_preprocessor``, ``init_cfg``.
    """

    def __init__(
        self,
        backbone: dict,
        reconstruction_head: dict | None = None,
        global_head: dict | None = None,
        local_head: dict | None = None,
        joint_views: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(backbone=backbone, **kwargs)
        if not (reconstruction_head or global_head or local_head):
            raise ValueError(
                'CMID: all three heads are None, so there is no loss; set at least one in the model config'
            )
        self._together = joint_views or not mixes_samples(self.backbone)
        self.reconstruction_head = self._build_head(reconstruction_head)
        self.global_head = self._build_head(global_head)
        self.local_head = self._build_head(local_head)

    def _build_head(self, cfg: dict | None) -> nn.Module | None:
        return MODELS.build(dict(in_channels=self.backbone.out_channels) | cfg) if cfg else None

    def loss(self, inputs: list[Tensor], data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Compute the losses of one batch (CMID spec, section 4).

        Args:
            inputs (list[Tensor]): The two views ``(B, 3, H, W)``, normalised and unmasked.
            data_samples (list[DataSample]): Each with ``mask`` ``(2, H / 4, W / 4)``, 1 = masked, and
                ``cell_positions`` ``(2, H / 32, W / 32, 2)``; with ``masked_cells`` ``(2, n)`` if the mask is made of
                whole cells (:class:`BlockMask`).

        Returns:
            dict[str, Tensor]: ``loss_spatial``, ``loss_frequency``, ``loss_global`` and ``loss_local``.
        """
        self.check_driven()
        views = [view.contiguous(memory_format=self.memory_format) for view in inputs]
        masks = torch.stack([sample.mask for sample in data_samples]).unbind(dim=1)
        pixel_masks = [pixel_mask(mask, view) for mask, view in zip(masks, views, strict=True)]

        seen = [fill_masked(view, pixels) for view, pixels in zip(views, pixel_masks, strict=True)]
        student = apply_to_views(lambda view, mask: self.backbone(view, mask)[-1], seen, masks, together=self._together)
        with torch.no_grad():
            teacher = apply_to_views(lambda view: self.teacher(view)[-1], views, together=self._together)

        losses = {}
        if self.reconstruction_head is not None:
            masked_cells = None
            if 'masked_cells' in data_samples[0]:
                masked_cells = torch.stack([sample.masked_cells for sample in data_samples]).unbind(dim=1)
            losses |= self.reconstruction_head.loss(student, views, pixel_masks, masked_cells)
        if self.global_head is not None:
            losses |= self.global_head.loss(student, teacher)
        if self.local_head is not None:
            positions = torch.stack([sample.cell_positions for sample in data_samples]).unbind(dim=1)
            losses |= self.local_head.loss(student, teacher, positions)
        return losses

    @torch.no_grad()
    def reconstruct(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruct masked images, to be looked at.

        Args:
            image (Tensor): Normalised images ``(B, 3, H, W)``.
            mask (Tensor): ``(B, H / 4, W / 4)``, 1 = masked.

        Returns:
            tuple[Tensor, Tensor]: What the student saw and what it reconstructed, both ``(B, 3, H, W)``.

        Raises:
            RuntimeError: If the model has no reconstruction head.
        """
        if self.reconstruction_head is None:
            raise RuntimeError('CMID: this model has no reconstruction_head, so it cannot reconstruct an image')
        seen = fill_masked(image, pixel_mask(mask, image))
        return seen, self.reconstruction_head(self.backbone(seen, mask)[-1])
