"""Measures of collapse of the embeddings of one batch, for a run to watch itself."""

import math

import torch
from torch import Tensor


@torch.no_grad()
def spread_and_rank(features: Tensor) -> tuple[float, float]:
    r"""The two measures of :func:`cmid_mm.evaluation.measure_collapse`, fast enough for a training step.

    The singular values come from the smaller product of the centred features with themselves, in float64. Unlike there,
    features that are all zero are measured, as collapsed, and features that are not finite give NaN, for a run must not
    stop because it is watched.

    Args:
        features (Tensor): ``(n, C)``, one row an image.

    Returns:
        tuple[float, float]: Standard deviation of the unit vectors times :math:`\sqrt{C}`, 0 if all point the same way
        (Chen and He, SimSiam, CVPR 2021, section 4.1); and their effective rank, from 1 to min(n - 1, C), 0 if all are
        equal (Roy and Vetterli, EUSIPCO 2007).
    """
    # On the CPU: a few milliseconds, and no linear algebra library takes memory on the device.
    features = features.detach().cpu().double()
    if not features.isfinite().all():
        return math.nan, math.nan
    unit = torch.nn.functional.normalize(features, dim=1)
    spread = float(unit.std(dim=0, correction=0).mean()) * math.sqrt(features.shape[1])

    centred = features - features.mean(dim=0)
    product = centred @ centred.T if len(centred) < centred.shape[1] else centred.T @ centred
    values = torch.linalg.eigvalsh(product).clamp_min(0).sqrt()
    # Equal images differ by rounding alone, which must not count as directions.
    rounding = torch.finfo(torch.float32).eps * math.sqrt(features.numel()) * float(features.abs().max())
    values = values[values > rounding]
    if not len(values):
        return spread, 0.0
    return spread, float(torch.special.entr(values / values.sum()).sum().exp())
