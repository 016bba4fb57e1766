"""Large scenes by overlapping windows: where they lie, and how their probabilities become one map of classes.

Windows overlap, and near its border a network sees less of what surrounds a pixel, so each window counts most in its
middle and fades towards its border. No more than one band of rows, as high as a window, is in memory as
probabilities: rows that no later window touches become classes at once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

MAX_CLASSES = 256  # what a uint8 pixel can name


class Window(NamedTuple):
    """A rectangle of a scene, in pixels."""

    top: int
    left: int
    height: int
    width: int


def window_starts(length: int, size: int, overlap: float) -> list[int]:
    """Where windows begin along one side, evenly spread from the first pixel to the last.

    Args:
        length (int): Pixels of the scene along the side.
        size (int): Pixels of a window; a shorter scene has one window, which is the whole of it.
        overlap (float): Least share of a window that the next one sees too, in [0, 1).

    Returns:
        list[int]: Positions in rising order, the first 0, the last ``length - min(size, length)``.
    """
    size = min(size, length)
    stride = max(1, size - round(size * overlap))
    gaps = -(-(length - size) // stride)
    return [number * (length - size) // max(1, gaps) for number in range(gaps + 1)]


class Grid:
    """The windows of one scene, row by row.

    Args:
        shape (tuple[int, int]): Height and width of the scene.
        size (tuple[int, int]): Height and width of a window.
        overlap (float): Least share of a window that the next one sees too, in [0, 1). Defaults to 0.25.

    Raises:
        ValueError: If a size is below 1 or the overlap is out of range.
    """

    def __init__(self, shape: tuple[int, int], size: tuple[int, int], overlap: float = 0.25) -> None:
        if min(shape) < 1 or min(size) < 1:
            raise ValueError(f'windows of {tuple(size)} pixels on a scene of {tuple(shape)}: give sides of 1 or more')
        if not 0 <= overlap < 1:
            raise ValueError(f'overlap {overlap} of windows is out of range: give a share from 0 to below 1')
        self.shape = tuple(shape)
        self.size = (min(size[0], shape[0]), min(size[1], shape[1]))
        self.tops = window_starts(shape[0], size[0], overlap)
        self.lefts = window_starts(shape[1], size[1], overlap)

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)

    def __getitem__(self, number: int) -> Window:
        row, column = divmod(range(len(self))[number], len(self.lefts))
        return Window(self.tops[row], self.lefts[column], *self.size)


def fade(size: int, alone: bool) -> Tensor:
    """Weight of a window along one side, (size,): a squared sine, above 0 at every pixel.

    Args:
        size (int): Pixels of the window.
        alone (bool): Whether no other window lies beside it; then there is nothing to blend and all weights are 1.
    """
    if alone:
        return torch.ones(size)
    return torch.sin(torch.pi * (torch.arange(size) + 0.5) / size) ** 2


class Blender:
    """Blend the probabilities of a grid's windows, given in its order, into a class for each pixel.

    Memory: (K, window height, scene width) float32 on the device of the probabilities, and the finished classes.

    Args:
        grid (Grid): The windows.
        threshold (float): Where there is one probability alone (K = 1), class 1 is above it. Defaults to 0.5.
        confidence (bool): Whether to keep the blended probability of the chosen class too. Defaults to False.

    Attributes:
        classes (np.ndarray): (H, W) uint8, complete after :meth:`finish`.
        confidence (np.ndarray | None): (H, W) float16.
    """

    def __init__(self, grid: Grid, threshold: float = 0.5, confidence: bool = False) -> None:
        self.grid = grid
        self.threshold = threshold
        self.classes = np.empty(grid.shape, np.uint8)
        self.confidence = np.empty(grid.shape, np.float16) if confidence else None
        self.weights = [
            fade(size, alone=len(starts) == 1) for size, starts in zip(grid.size, (grid.tops, grid.lefts), strict=True)
        ]
        # The windows are a full grid, so the sum of their weights at a pixel is a product of two sums.
        self.totals = [
            _total(weights, starts, length)
            for weights, starts, length in zip(self.weights, (grid.tops, grid.lefts), grid.shape, strict=True)
        ]
        self.band: Tensor | None = None
        self.top = 0

    def add(self, window: Window, probabilities: Tensor) -> None:
        """Add the next window's probabilities (K, h, w).

        Raises:
            ValueError: If a class number would not fit in 8 bits.
        """
        if self.band is None:
            if len(probabilities) > MAX_CLASSES:
                raise ValueError(
                    f'{len(probabilities)} classes do not fit into a map of 8 bits; at most {MAX_CLASSES} do'
                )
            height, width = self.grid.size[0], self.grid.shape[1]
            self.band = probabilities.new_zeros((len(probabilities), height, width), dtype=torch.float32)
            self.weights = [weights.to(self.band.device) for weights in self.weights]
        if window.top > self.top:
            self._settle(window.top)
        rows, columns = self.weights
        weighted = probabilities.float() * (rows[:, None] * columns)
        self.band[:, :, window.left : window.left + window.width] += weighted

    def finish(self) -> None:
        """Settle the rows of the last windows."""
        self._settle(self.grid.shape[0])
        self.band = None

    def _settle(self, stop: int) -> None:
        """Turn the rows above ``stop``, which no later window touches, into classes."""
        count = stop - self.top
        done = self.band[:, :count]
        rows = slice(self.top, stop)
        if len(done) > 1:
            best, classes = done.max(dim=0)
        else:
            best = done[0]
            classes = best / self._total(rows, best.device) > self.threshold
        self.classes[rows] = classes.to(torch.uint8).cpu().numpy()
        if self.confidence is not None:
            share = best / self._total(rows, best.device)
            if len(done) == 1:
                share = torch.where(classes, share, 1 - share)
            self.confidence[rows] = share.half().cpu().numpy()
        rest = self.band[:, count:].clone()
        self.band[:, : rest.shape[1]] = rest
        self.band[:, rest.shape[1] :] = 0
        self.top = stop

    def _total(self, rows: slice, device: torch.device) -> Tensor:
        return (self.totals[0][rows, None] * self.totals[1]).to(device)


def _total(weights: Tensor, starts: Sequence[int], length: int) -> Tensor:
    total = torch.zeros(length)
    for start in starts:
        total[start : start + len(weights)] += weights
    return total
