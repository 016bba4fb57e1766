"""A batch of random pixels in the shapes that the data pipeline gives."""

import math

import torch
from mmpretrain.structures import DataSample


def random_batch(images: int, size: int, device: torch.device | str = 'cpu') -> dict:
    """Two views (B, 3, H, W), uint8, with masks and cell positions, as ``default_collate`` leaves them.

    Args:
        images (int): Images B.
        size (int): Side H = W of a view in pixels, a multiple of 32.
        device (torch.device | str): Where it lies. Defaults to ``'cpu'``.

    Returns:
        dict: ``inputs`` and ``data_samples``, to be given to ``train_step``.
    """
    cells = size // 32
    # 0.6 of the cells, as BlockMask draws them.
    masked = torch.rand(images, 2, cells**2).argsort(dim=-1)[..., : math.ceil(0.6 * cells**2)].sort().values
    mask = torch.zeros(images, 2, cells**2, dtype=torch.uint8).scatter(2, masked, 1).unflatten(2, (cells, cells))
    mask = mask.repeat_interleave(8, 2).repeat_interleave(8, 3)
    positions = torch.rand(images, 2, cells, cells, 2) * size
    samples = [
        DataSample(mask=m, masked_cells=c, cell_positions=p) for m, c, p in zip(mask, masked, positions, strict=True)
    ]
    views = [torch.randint(0, 256, (images, 3, size, size), dtype=torch.uint8) for _ in range(2)]
    return dict(inputs=[view.to(device) for view in views], data_samples=[sample.to(device) for sample in samples])
