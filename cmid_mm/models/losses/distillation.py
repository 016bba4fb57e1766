"""Self-distillation of cells into prototypes with a moving centre (CMID, section III-D; DINO, section 3.1)."""

import torch
from mmengine.dist import all_reduce
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..utils import full_precision, no_autocast


@MODELS.register_module()
class CenteredDistillationLoss(nn.Module):
    r"""Cross entropy between the teacher's centred, sharpened assignment and the student's.

    .. math:: -\sum_k softmax((u - c) / T_t)_k \; \log softmax(s / T_s)_k

    averaged over images and cells. The teacher's temperature rises linearly over the first epochs; after every
    call the centre moves to :math:`c \leftarrow 0.9 c + 0.1 \, mean(u)` over images, cells and processes.

    Args:
        num_prototypes (int): Number K of prototypes.
        student_temperature (float): :math:`T_s`. Defaults to 0.1.
        teacher_temperature (float): :math:`T_t` after the warm-up. Defaults to 0.07.
        warmup_temperature (float): :math:`T_t` in the first epoch. Defaults to 0.04.
        warmup_epochs (int): Epochs of the rise. Defaults to 50.
        center_momentum (float): Share of the old centre that is kept. Defaults to 0.9.
        loss_weight (float): Factor of the loss. Defaults to 1.

    Attributes:
        center (Tensor): Buffer ``(K, )``.
        teacher_temperature (float): :math:`T_t` of the current epoch; see :meth:`set_epoch`.
    """

    def __init__(
        self,
        num_prototypes: int,
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.07,
        warmup_temperature: float = 0.04,
        warmup_epochs: int = 50,
        center_momentum: float = 0.9,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.student_temperature = student_temperature
        self.final_temperature = teacher_temperature
        self.warmup_temperature = warmup_temperature
        self.warmup_epochs = warmup_epochs
        self.center_momentum = center_momentum
        self.loss_weight = loss_weight
        self.register_buffer('center', torch.zeros(num_prototypes))
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Set the teacher's temperature to that of an epoch, counted from 0."""
        risen = min(epoch / (self.warmup_epochs - 1), 1.0) if self.warmup_epochs > 1 else 1.0
        self.teacher_temperature = self.warmup_temperature + risen * (self.final_temperature - self.warmup_temperature)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss in at least float32, then move the centre.

        Args:
            student (Tensor): Similarities s ``(..., K)`` of the student's cells to the prototypes.
            teacher (Tensor): Similarities u ``(..., K)`` of the same cells by the teacher; takes no gradient.

        Returns:
            Tensor: A scalar.
        """
        with no_autocast(student):
            student, teacher = full_precision(student, teacher.detach())
            target = self._assign(teacher)
            loss = -(target * (student / self.student_temperature).log_softmax(dim=-1)).sum(dim=-1).mean()
            self._move_center(teacher)
        return self.loss_weight * loss

    @torch.no_grad()
    def statistics(self, student: Tensor, teacher: Tensor) -> dict[str, Tensor | float]:
        """What ``MonitorHook`` writes of the arguments of a call, in the steps that are logged.

        Returns:
            dict[str, Tensor | float]: Of the teacher's assignment of cells to prototypes: the entropy of a cell's, on
            average (``cell_entropy``), and that of the average cell's (``prototype_entropy``), both in nats, and the
            number of prototypes that are the first of any cell (``prototypes_used``); and ``teacher_temperature``.
        """
        with no_autocast(teacher):
            (teacher,) = full_precision(teacher)
            cells = self._assign(teacher).flatten(0, -2)
        used = torch.zeros_like(cells[0]).index_fill(0, cells.argmax(dim=1), 1.0)
        return dict(
            cell_entropy=torch.special.entr(cells).sum(dim=1).mean(),
            prototype_entropy=torch.special.entr(cells.mean(dim=0)).sum(),
            prototypes_used=used.sum(),
            teacher_temperature=self.teacher_temperature,
        )

    def _assign(self, teacher: Tensor) -> Tensor:
        return ((teacher - self.center) / self.teacher_temperature).softmax(dim=-1)

    @torch.no_grad()
    def _move_center(self, teacher: Tensor) -> None:
        mean = teacher.flatten(0, -2).mean(dim=0)
        all_reduce(mean, op='mean')
        self.center.lerp_(mean.to(self.center.dtype), 1 - self.center_momentum)
