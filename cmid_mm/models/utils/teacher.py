"""A teacher: a copy of a student whose weights are an exponential average of the student's."""

import math
from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import nn


def cosine_momentum(step: int, max_steps: int, base: float) -> float:
    r"""Momentum of the teacher, rising from ``base`` to 1 (CMID spec, section 3; BYOL, section 3.2).

    .. math:: \tau_t = 1 - (1 - \tau_{base}) \, (\cos(\pi t / T) + 1) / 2

    Args:
        step (int): Optimizer steps t done before this one.
        max_steps (int): Optimizer steps T of the whole run.
        base (float): Momentum at the first step, the share of the old teacher that is kept.

    Returns:
        float: The share of the old teacher to keep at this step.
    """
    return 1 - (1 - base) * (math.cos(math.pi * step / max_steps) + 1) / 2


def make_teacher(student: nn.Module) -> nn.Module:
    """Copy a student into a teacher that takes no gradient and, being shown whole images, has no mask token."""
    teacher = deepcopy(student)
    if hasattr(teacher, 'forget_mask_token'):
        teacher.forget_mask_token()
    return teacher.requires_grad_(False)


@torch.no_grad()
def average_parameters(pairs: Iterable[tuple[nn.Module, nn.Module]], momentum: float) -> None:
    """Move every teacher towards its student: ``teacher = momentum * teacher + (1 - momentum) * student``.

    Buffers are left alone: the teacher's batch norm layers gather statistics of their own (spec, section 3).

    Args:
        pairs (Iterable[tuple[nn.Module, nn.Module]]): ``(student, teacher)`` modules; parameters match by name.
        momentum (float): Share of the old teacher that is kept; 0 copies the student.
    """
    old, new = [], []
    for student, teacher in pairs:
        source = dict(student.named_parameters())
        for name, parameter in teacher.named_parameters():
            old.append(parameter)
            new.append(source[name])
    torch._foreach_lerp_(old, new, 1 - momentum)


@torch.no_grad()
def copy_student(pairs: Iterable[tuple[nn.Module, nn.Module]]) -> None:
    """Give every teacher its student's parameters and buffers, as at the start of a run."""
    for student, teacher in pairs:
        source = student.state_dict()
        teacher.load_state_dict({name: source[name] for name in teacher.state_dict()})
