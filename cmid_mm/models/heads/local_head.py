"""Distillation between matched cells of two views (CMID, section III-D)."""

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..utils import cells_of_map, make_teacher, match_cells, take_cells


@MODELS.register_module()
class LocalDistillationHead(BaseModule):
    """The student learns, from masked cells, the teacher's assignment of the nearest cells of the other view.

    Owns the projector, its teacher and, in the loss, the centre.

    Args:
        in_channels (int): Channels of the backbone's last map.
        projector (dict): ``PrototypeNeck``, or another with its ``forward_views`` and ``prototypes``.
        num_matches (int): Pairs of cells an image and direction; all cells where a view has fewer. Defaults to 20.
        loss (dict): Called as ``loss(student, teacher)``. Defaults to ``CenteredDistillationLoss`` with the
            projector's number of prototypes.
        init_cfg (dict or list[dict], optional): Initialisation.
    """

    def __init__(
        self,
        in_channels: int,
        projector: dict,
        num_matches: int = 20,
        loss: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if num_matches < 1:
            raise ValueError(f'LocalDistillationHead: num_matches={num_matches} pairs nothing; set it to 1 or more')
        self.projector = MODELS.build(dict(projector, in_channels=in_channels))
        self.teacher_projector = make_teacher(self.projector)
        self.num_matches = num_matches
        num_prototypes = self.projector.prototypes.out_features
        self.loss_module = MODELS.build(
            dict(type='CenteredDistillationLoss', num_prototypes=num_prototypes) | (loss or {})
        )

    def teacher_pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """The ``(student, teacher)`` modules to average."""
        return [(self.projector, self.teacher_projector)]

    def set_epoch(self, epoch: int) -> None:
        """Set what depends on the epoch, counted from 0: the teacher's temperature."""
        self.loss_module.set_epoch(epoch)

    def loss(self, student: list[Tensor], teacher: list[Tensor], positions: list[Tensor]) -> dict[str, Tensor]:
        """Compute the mean of both directions; the centre moves after each.

        Args:
            student (list[Tensor]): The student's map ``(B, C, h, w)`` of both masked views.
            teacher (list[Tensor]): The teacher's of the unmasked ones.
            positions (list[Tensor]): Cell centres ``(B, h, w, 2)`` of both views in one frame of reference.

        Returns:
            dict[str, Tensor]: ``loss_local``.
        """
        num_matches = min(self.num_matches, student[0].shape[-2:].numel())
        cells, targets = [], []
        for own, other in ((0, 1), (1, 0)):
            index, nearest = match_cells(positions[own], positions[other], num_matches)
            cells.append(take_cells(cells_of_map(student[own]), index))
            targets.append(take_cells(cells_of_map(teacher[other]), nearest))
        cells = self.projector.forward_views(cells)
        with torch.no_grad():
            targets = self.teacher_projector.forward_views(targets)
        losses = [self.loss_module(*pair) for pair in zip(cells, targets, strict=True)]
        return dict(loss_local=sum(losses) / len(losses))
