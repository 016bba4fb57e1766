"""Cells of a feature map, and what reconstruction losses need where masks are made of whole ones."""

from dataclasses import dataclass

from torch import Tensor, nn


def cells_of_map(feature: Tensor) -> Tensor:
    """List the cells of a map ``(B, C, h, w)`` row by row: ``(B, h * w, C)``."""
    return feature.flatten(2).transpose(1, 2)


def cells_of_image(image: Tensor, stride: int) -> Tensor:
    """Cut images ``(B, C, H, W)`` into cells ``(B, H * W / stride², C * stride * stride)``, row by row."""
    blocks = image.unflatten(3, (-1, stride)).unflatten(2, (-1, stride))  # (B, C, h, stride, w, stride)
    return blocks.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def take_cells(cells: Tensor, index: Tensor) -> Tensor:
    """Take cells ``(B, n, P)`` by their index ``(B, n)`` from all ``(B, L, P)``."""
    return cells.gather(1, index.unsqueeze(-1).expand(-1, -1, cells.shape[-1]))


@dataclass
class MaskedCells:
    """A view's reconstruction where its mask is made of whole cells: the masked ones, and the average of the others.

    A loss over masked pixels needs no others, and one of the batch's average needs of the others, because the decoder
    is linear, their decoded average alone.

    Attributes:
        pred (Tensor): Reconstructed masked cells ``(B, n, P)``; P = C * stride².
        target (Tensor): The same cells of the image.
        index (Tensor): Their row-major places ``(B, n)`` among the L cells of a view.
        unmasked_pred (Tensor): Mean over B of the reconstructed cells ``(L, P)``, a masked one counted as zero.
        image (Tensor): Mean over B of the image ``(C, H, W)``.
        stride (int): Pixels a cell side.
    """

    pred: Tensor
    target: Tensor
    index: Tensor
    unmasked_pred: Tensor
    image: Tensor
    stride: int

    def mean_image(self, masked: Tensor, unmasked: Tensor | float = 0.0) -> Tensor:
        """Average over B and put together: masked cells ``(B, n, P)`` at their places, plus a mean ``(L, P)``.

        Returns:
            Tensor: ``(C, H, W)``.
        """
        cells = [side // self.stride for side in self.image.shape[1:]]
        total = masked.new_zeros(cells[0] * cells[1], masked.shape[-1])
        total = total.index_add(0, self.index.flatten(), masked.flatten(0, 1)) / len(masked) + unmasked
        return nn.functional.pixel_shuffle(total.T.unflatten(1, cells), self.stride)
