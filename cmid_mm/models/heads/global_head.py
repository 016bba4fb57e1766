"""Contrast of whole views (CMID, section III-C)."""

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..utils import KeyQueue, apply_to_views, make_teacher, mixes_samples


@MODELS.register_module()
class GlobalContrastHead(BaseModule):
    """Each view's query is contrasted with the teacher's key of the other view, against a queue of earlier keys.

    Owns the projector, its teacher and the queue.

    Args:
        in_channels (int): Channels of the backbone's last map.
        projector (dict): Neck from ``(map, )`` to ``(vector, )``, such as mmpretrain's ``MoCoV2Neck``.
        queue_size (int): Keys kept, of all processes. Defaults to 65536.
        loss (dict): Called as ``loss(query, key, queue)``. Defaults to InfoNCE at temperature 0.2.
        init_cfg (dict or list[dict], optional): Initialisation.
    """

    def __init__(
        self,
        in_channels: int,
        projector: dict,
        queue_size: int = 65536,
        loss: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.projector = MODELS.build(dict(projector, in_channels=in_channels))
        self.teacher_projector = make_teacher(self.projector)
        self.queue = KeyQueue(projector['out_channels'], queue_size)
        self.loss_module = MODELS.build(loss or dict(type='InfoNCELoss'))

    def teacher_pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """The ``(student, teacher)`` modules to average."""
        return [(self.projector, self.teacher_projector)]

    def loss(self, student: list[Tensor], teacher: list[Tensor]) -> dict[str, Tensor]:
        """Compute the mean of both directions, then enter the keys of the second view and those of the first.

        Args:
            student (list[Tensor]): The student's map ``(B, C, h, w)`` of both masked views.
            teacher (list[Tensor]): The teacher's of the unmasked ones.

        Returns:
            dict[str, Tensor]: ``loss_global``.
        """
        queries = self._project(self.projector, student)
        with torch.no_grad():
            keys = self._project(self.teacher_projector, teacher[::-1])
        # The views are of equal size, so the mean over all queries is that of both directions.
        loss = self.loss_module(torch.cat(queries), torch.cat(keys), self.queue.keys)
        self.queue.enter(*keys)
        return dict(loss_global=loss)

    @staticmethod
    def _project(projector: nn.Module, maps: list[Tensor]) -> list[Tensor]:
        def unit_vectors(x: Tensor) -> Tensor:
            return nn.functional.normalize(projector((x,))[0], dim=1)

        return apply_to_views(unit_vectors, maps, together=not mixes_samples(projector))
