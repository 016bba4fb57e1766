"""What every algorithm with a momentum teacher shares."""

from itertools import chain

import torch
from mmpretrain.models import BaseSelfSupervisor
from torch import nn

from ..utils import average_parameters, copy_student, cosine_momentum, make_teacher


class TeacherStudent(BaseSelfSupervisor):
    """A student backbone, its teacher, and heads that may own teachers of their own.

    ``TeacherHook`` drives it: it sets the length of the run, the epoch, and calls :meth:`update_teachers` after
    every optimizer step. Without the hook a training step is refused, because a teacher would stand still unseen.

    Args:
        backbone (dict): The student.
        base_momentum (float): Share of the old teacher kept at the first step; rises to 1 by a cosine.
            Defaults to 0.996.
        channels_last (bool): Keep weights and images in the ``channels_last`` memory format. Defaults to False.
        compile_networks (bool | dict): Compile student, teacher and projectors by ``torch.compile`` when training
            begins, with these of its options if it is a dict. Checkpoints stay the same. Defaults to False.
        **kwargs: As ``mmpretrain.models.BaseSelfSupervisor``.

    Attributes:
        teacher_step (Tensor): Buffer; the number of updates done, kept in checkpoints.
    """

    def __init__(
        self,
        backbone: dict,
        base_momentum: float = 0.996,
        channels_last: bool = False,
        compile_networks: bool | dict = False,
        **kwargs,
    ) -> None:
        super().__init__(backbone=backbone, **kwargs)
        if not 0 <= base_momentum <= 1:
            raise ValueError(f'{type(self).__name__}: base_momentum={base_momentum} lies outside [0, 1]')
        self.teacher = make_teacher(self.backbone)
        self.base_momentum = base_momentum
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.compile_networks = compile_networks
        self.max_steps: int | None = None
        self.register_buffer('teacher_step', torch.zeros((), dtype=torch.long))

    def init_weights(self) -> None:
        """Initialise the student and every head, then give each teacher its student's weights."""
        super().init_weights()
        copy_student(self.teacher_pairs())
        self.to(memory_format=self.memory_format)

    def teacher_pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """All ``(student, teacher)`` modules: the backbones and those of the heads."""
        pairs = [(self.backbone, self.teacher)]
        for head in self.children():
            if hasattr(head, 'teacher_pairs'):
                pairs += head.teacher_pairs()
        return pairs

    def set_max_steps(self, max_steps: int) -> None:
        """Begin training: set the number of optimizer steps of the whole run, which the momentum's schedule needs."""
        self.max_steps = max_steps
        if self.compile_networks:
            options = self.compile_networks if isinstance(self.compile_networks, dict) else {}
            for network in chain.from_iterable(self.teacher_pairs()):
                network.compile(**options)
        self._steps_done = int(self.teacher_step)

    def set_epoch(self, epoch: int) -> None:
        """Tell every head the epoch, counted from 0."""
        for head in self.children():
            if hasattr(head, 'set_epoch'):
                head.set_epoch(epoch)

    @property
    def teacher_momentum(self) -> float:
        """Share of the old teachers that the next update keeps."""
        # The count is mirrored in Python, so that the schedule never waits for the device.
        return cosine_momentum(self._steps_done, self.max_steps, self.base_momentum)

    def update_teachers(self) -> None:
        """Average every teacher with its student; called once after each optimizer step."""
        average_parameters(self.teacher_pairs(), self.teacher_momentum)
        self._steps_done += 1
        self.teacher_step += 1

    def check_driven(self) -> None:
        """Refuse a training step whose teachers nobody would update."""
        if self.training and self.max_steps is None:
            raise RuntimeError(
                f"{type(self).__name__}: nothing updates the teacher; add dict(type='TeacherHook') to custom_hooks, or "
                'call set_max_steps() before training and update_teachers() after each optimizer step'
            )
