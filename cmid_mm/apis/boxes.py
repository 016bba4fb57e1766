"""Oriented boxes of overlapping windows -> oriented boxes of the scene."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .windows import Window

# A box that ends within so many pixels of its window's border may be a part of an object. Taking a whole one for a
# part does no harm: it is dropped only where another window has found the same object.
BORDER = 8
# Share of a part that must lie in another window's box.
COVERED = 0.5


def merge_windows(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    origins: Tensor,
    windows: Sequence[Window],
    shape: tuple[int, int],
    iou_threshold: float,
) -> Tensor:
    """Choose the boxes to keep of all that the windows of a scene gave.

    First, boxes cut by a border that lies inside the scene go where a box of the same class from another window,
    whole or at least larger, covers them: however well it scores, and though it may overlap the whole box by less
    than ``iou_threshold``, such a part is no second object. Then comes oriented non-maximum suppression by class.

    Args:
        boxes (Tensor): (N, 5) of centre x, centre y, width, height (pixels of the scene) and angle (radians).
        scores (Tensor): (N,).
        labels (Tensor): (N,) class numbers.
        origins (Tensor): (N,) number of the window that each box comes from.
        windows (Sequence[Window]): The windows.
        shape (tuple[int, int]): Height and width of the scene.
        iou_threshold (float): Of two boxes of a class that overlap by more, the one of the lower score goes.

    Returns:
        Tensor: (M,) positions of the boxes to keep, by falling score.
    """
    from mmcv.ops import nms_rotated

    if not len(boxes):
        return torch.empty(0, dtype=torch.long, device=boxes.device)
    cut = _cut(boxes, origins, windows, shape)
    kept = []
    for label in labels.unique():
        chosen = torch.nonzero(labels == label).squeeze(1)
        chosen = chosen[~_parts(boxes[chosen], cut[chosen], origins[chosen])]
        _, best = nms_rotated(boxes[chosen], scores[chosen], iou_threshold)
        kept.append(chosen[best])
    kept = torch.cat(kept)
    return kept[scores[kept].argsort(descending=True, stable=True)]


def _cut(boxes: Tensor, origins: Tensor, windows: Sequence[Window], shape: tuple[int, int]) -> Tensor:
    """Whether each box ends at a border of its window that is no border of the scene, (N,) bool."""
    from mmrotate.structures.bbox import rbox2qbox

    corners = rbox2qbox(boxes).reshape(-1, 4, 2)
    least, most = corners.amin(dim=1), corners.amax(dim=1)
    first = torch.tensor([[w.left, w.top] for w in windows], device=boxes.device)
    last = first + torch.tensor([[w.width, w.height] for w in windows], device=boxes.device)
    inner_first, inner_last = first > 0, last < torch.tensor([shape[1], shape[0]], device=boxes.device)
    begins = inner_first[origins] & (least < first[origins] + BORDER)
    ends = inner_last[origins] & (most > last[origins] - BORDER)
    return (begins | ends).any(dim=1)


def _parts(boxes: Tensor, cut: Tensor, origins: Tensor) -> Tensor:
    """Whether each box, all of one class, is a part of what another window has found, (N,) bool."""
    from mmcv.ops import box_iou_rotated

    parts = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    rows = torch.nonzero(cut).squeeze(1)
    if not len(rows):
        return parts
    areas = boxes[:, 2] * boxes[:, 3]
    covered = box_iou_rotated(boxes[rows], boxes, mode='iof') >= COVERED
    elsewhere = origins[rows, None] != origins[None]
    fuller = ~cut[None] | (areas[None] > areas[rows, None])
    parts[rows] = (covered & elsewhere & fuller).any(dim=1)
    return parts
