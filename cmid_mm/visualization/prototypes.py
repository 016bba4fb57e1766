"""Which parts of images each prototype of CMID's local head stands for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cmid_mm.checkpoints import Network

BATCH = 512
GREY = (208, 208, 208)


@torch.no_grad()
def own_cells(
    network: Network, pixels: np.ndarray, maps_of: Callable[[Network, np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Give each cell to the prototype to which the teacher assigns it most (CMID, section III-D).

    That is the largest of its centred similarities, the maximum of the assignment that the student learns, whatever the
    temperature.

    Args:
        network (Network): What :func:`~cmid_mm.checkpoints.load_pretraining` returns.
        pixels (np.ndarray): ``(n, S, S, 3)`` uint8 RGB.
        maps_of (Callable): Computes last maps ``(n, C, h, w)`` of the images by a network.

    Returns:
        tuple[np.ndarray, np.ndarray]: The prototype of each cell ``(n, h, w)`` int64, and how far its centred
        similarity lies above those of all prototypes on average ``(n, h, w)``.

    Raises:
        ValueError: If the model has no local head.
    """
    model = network.module
    head = getattr(model, 'local_head', None)
    if head is None:
        raise ValueError(
            f'this {type(model).__name__} has no local_head, so it has no prototypes; give a checkpoint of CMID that '
            'was trained with one'
        )
    maps = torch.from_numpy(maps_of(replace(network, module=model.teacher), pixels))
    cells = maps.flatten(2).transpose(1, 2).flatten(0, 1)
    owners, lead = [], []
    for part in cells.split(BATCH):
        similarity = head.teacher_projector(part) - head.loss_module.center
        best, owner = similarity.max(dim=1)
        owners.append(owner)
        lead.append(best - similarity.mean(dim=1))
    shape = maps.shape[0], *maps.shape[2:]
    return torch.cat(owners).view(shape).numpy(), torch.cat(lead).view(shape).numpy()


def typical_cells(owners: np.ndarray, lead: np.ndarray, prototype: int, count: int) -> np.ndarray:
    """Choose the cells that a prototype owns most clearly, one an image as long as there are images.

    Args:
        owners (np.ndarray): Prototype of each cell ``(n, h, w)``.
        lead (np.ndarray): How clearly ``(n, h, w)``.
        prototype (int): The prototype.
        count (int): Cells to choose; fewer if it owns fewer.

    Returns:
        np.ndarray: Image, row and column ``(m, 3)``.
    """
    cells = np.argwhere(owners == prototype)
    cells = cells[np.argsort(-lead[tuple(cells.T)], kind='stable')]
    seen: dict[int, int] = {}
    turn = []
    for image in cells[:, 0].tolist():
        turn.append(seen.get(image, 0))
        seen[image] = turn[-1] + 1
    return cells[np.argsort(turn, kind='stable')[:count]]


def cut_cell(image: np.ndarray, cell: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    """Cut a cell out of an image, with half a cell around it, which is grey beyond the border.

    Args:
        image (np.ndarray): ``(S, S, 3)``.
        cell (tuple[int, int]): Row and column.
        cells (tuple[int, int]): Cells in a column and in a row of the image.

    Returns:
        np.ndarray: ``(2 S / rows, 2 S / columns, 3)``.
    """
    height, width = image.shape[0] // cells[0], image.shape[1] // cells[1]
    top, left = height // 2, width // 2
    padded = cv2.copyMakeBorder(image, top, height - top, left, width - left, cv2.BORDER_CONSTANT, value=GREY)
    return padded[cell[0] * height :, cell[1] * width :][: 2 * height, : 2 * width]


def draw_prototypes(
    pixels: np.ndarray,
    owners: np.ndarray,
    lead: np.ndarray,
    num_prototypes: int,
    out: str | Path,
    rows: int = 12,
    columns: int = 12,
) -> None:
    """Draw a row of patches for each of the most used prototypes; the square in a patch is the cell that it owns.

    Args:
        pixels (np.ndarray): ``(n, S, S, 3)`` uint8 RGB.
        owners (np.ndarray): What :func:`own_cells` returns: prototypes ``(n, h, w)``.
        lead (np.ndarray): How clearly ``(n, h, w)``.
        num_prototypes (int): Of the head.
        out (str | Path): Picture to write.
        rows (int): Prototypes to show, most used first. Defaults to 12.
        columns (int): Patches of each. Defaults to 12.
    """
    uses = np.bincount(owners.ravel(), minlength=num_prototypes)
    order = np.argsort(-uses, kind='stable')[: min(rows, np.count_nonzero(uses))]
    figure = Figure(figsize=(0.9 + 0.85 * columns, 0.86 * len(order) + 0.35), layout='constrained')
    panels = figure.subplots(len(order), columns, squeeze=False)
    for row, prototype in zip(panels, order.tolist(), strict=True):
        for panel in row:
            panel.set_axis_off()
        share = 100 * uses[prototype] / owners.size
        name = f'prototype {prototype}\n{share:.1f} % of cells'
        row[0].text(-0.1, 0.5, name, fontsize=7, ha='right', va='center', transform=row[0].transAxes)
        cells = typical_cells(owners, lead, prototype, columns)
        for panel, (image, *cell) in zip(row, cells.tolist(), strict=False):
            patch = cut_cell(pixels[image], cell, owners.shape[1:])
            panel.imshow(patch)
            side = len(patch) / 2
            inner = Rectangle((side / 2 - 0.5, side / 2 - 0.5), side, side, fill=False, edgecolor='white', linewidth=1)
            panel.add_patch(inner)
    figure.suptitle(
        f'{np.count_nonzero(uses)} of {num_prototypes} prototypes own the {owners.size:,} cells of {len(owners):,} '
        f'images; these {len(order)} own {100 * uses[order].sum() / owners.size:.0f} %',
        fontsize=9,
    )
    figure.savefig(out, dpi=110)
