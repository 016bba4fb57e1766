"""A batch of random pixels in the shapes that the data pipeline gives."""

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
    mask = torch.rand(images, 2, cells, cells).lt(0.6).repeat_interleave(8, 2).repeat_interleave(8, 3).to(torch.uint8)
    positions = torch.rand(images, 2, cells, cells, 2) * size
    samples = [DataSample(mask=m, cell_positions=p) for m, p in zip(mask, positions, strict=True)]
    views = [torch.randint(0, 256, (images, 3, size, size), dtype=torch.uint8) for _ in range(2)]
    return dict(inputs=[view.to(device) for view in views], data_samples=[sample.to(device) for sample in samples])
