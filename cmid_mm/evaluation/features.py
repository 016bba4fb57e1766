"""Pooled features of a frozen backbone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from .images import read_image, squeeze

# RGB, 0 to 255 (spec of CMID, section 1).
MEAN = (86.18, 91.93, 85.37)
STD = (34.65, 34.48, 35.88)

Item = str | Path | np.ndarray | tuple


class Features(NamedTuple):
    """Features ``(n, C)`` float32, and labels ``(n,)`` int64 or None if the items have none."""

    values: np.ndarray
    labels: np.ndarray | None


def extract_features(
    backbone: nn.Module,
    images: Sequence[Item] | Dataset,
    size: int = 224,
    batch_size: int = 64,
    device: str | torch.device = 'cpu',
    progress: Callable[[int], None] | None = None,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
) -> Features:
    """Average the backbone's last map over each image, without augmentation.

    Each image is squeezed to ``size`` x ``size`` pixels (the whole image counts, its aspect does
    not), normalised and given to the backbone in evaluation mode. The same images give the same
    features, and the backbone's device and every module's mode are afterwards what they were.

    Args:
        backbone (nn.Module): Gives maps ``(B, C, h, w)``, in a tuple or alone; the last one counts.
            Vectors ``(B, C)`` are taken as they are.
        images (Sequence | Dataset): Paths, uint8 RGB arrays ``(H, W, 3)``, or pairs of one of these
            and a label.
        size (int): Side in pixels. Defaults to 224.
        batch_size (int): Images a forward pass.
        device (str | torch.device): Where to compute.
        progress (Callable[[int], None], optional): Called after each batch with the number of its
            images.
        mean (Sequence[float]): Of the three channels, 0 to 255.
        std (Sequence[float]): Of the three channels, 0 to 255.

    Raises:
        ValueError: No image, or a backbone whose output is neither a map nor a vector.
    """
    values, labels = _compute(_pool, backbone, images, size, batch_size, device, progress, mean, std)
    return Features(values, None if labels[0] is None else np.array(labels, dtype=np.int64))


def extract_maps(
    backbone: nn.Module,
    images: Sequence[Item] | Dataset,
    size: int = 224,
    batch_size: int = 64,
    device: str | torch.device = 'cpu',
    progress: Callable[[int], None] | None = None,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
) -> np.ndarray:
    """Compute the backbone's last map of each image, as :func:`extract_features` does before it averages.

    Args:
        backbone (nn.Module): Gives maps ``(B, C, h, w)``, in a tuple or alone; the last one counts.
        images (Sequence | Dataset): As in :func:`extract_features`; labels are left out.
        size (int): Side in pixels. Defaults to 224.
        batch_size (int): Images a forward pass.
        device (str | torch.device): Where to compute.
        progress (Callable[[int], None], optional): Called after each batch with the number of its
            images.
        mean (Sequence[float]): Of the three channels, 0 to 255.
        std (Sequence[float]): Of the three channels, 0 to 255.

    Returns:
        np.ndarray: ``(n, C, h, w)`` float32.

    Raises:
        ValueError: No image, or a backbone whose output is no map.
    """
    return _compute(_map, backbone, images, size, batch_size, device, progress, mean, std)[0]


def _compute(
    take: Callable[[Tensor | tuple[Tensor, ...]], Tensor],
    backbone: nn.Module,
    images: Sequence[Item] | Dataset,
    size: int,
    batch_size: int,
    device: str | torch.device,
    progress: Callable[[int], None] | None,
    mean: Sequence[float],
    std: Sequence[float],
) -> tuple[np.ndarray, list[int | None]]:
    """What is taken of the backbone's output for each image, and the images' labels."""
    if len(images) == 0:
        raise ValueError('There are no images to extract features from.')
    loader = DataLoader(_Squeezed(images, size), batch_size, collate_fn=_collate)
    mean_tensor = torch.tensor(mean, dtype=torch.float32, device=device).view(1, 3, 1, 1)
    std_tensor = torch.tensor(std, dtype=torch.float32, device=device).view(1, 3, 1, 1)
    values, labels = [], []
    with _evaluating(backbone, device), torch.no_grad():
        for batch, batch_labels in loader:
            inputs = (batch.to(device).float() - mean_tensor) / std_tensor
            values.append(take(backbone(inputs)).float().cpu())
            labels += batch_labels
            if progress is not None:
                progress(len(batch))
    return torch.cat(values).numpy(), labels


class _Squeezed(Dataset):
    """Items as uint8 tensors ``(3, size, size)`` with their label or None."""

    def __init__(self, items: Sequence[Item] | Dataset, size: int) -> None:
        self.items = items
        self.size = size

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, int | None]:
        item = self.items[index]
        image, label = item if isinstance(item, tuple) else (item, None)
        image = squeeze(image, self.size) if isinstance(image, np.ndarray) else read_image(image, self.size)
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))), label


def _collate(samples: list[tuple[Tensor, int | None]]) -> tuple[Tensor, list[int | None]]:
    images, labels = zip(*samples, strict=True)
    return torch.stack(images), list(labels)


def _last(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output[-1] if isinstance(output, tuple | list) else output


def _map(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    last = _last(output)
    if last.dim() != 4:
        raise ValueError(f'The backbone gives a tensor of shape {tuple(last.shape)}, not maps (B, C, h, w) with cells.')
    return last


def _pool(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    last = _last(output)
    if last.dim() == 4:
        return last.mean(dim=(2, 3))
    if last.dim() == 2:
        return last
    raise ValueError(
        f'The backbone gives a tensor of shape {tuple(last.shape)}; features are pooled from maps (B, C, h, w).'
    )


@contextmanager
def _evaluating(backbone: nn.Module, device: str | torch.device) -> Iterator[None]:
    """Hold the backbone in evaluation mode on ``device``, then give each module its mode back."""
    modes = {module: module.training for module in backbone.modules()}
    parameter = next(backbone.parameters(), None)
    home = parameter.device if parameter is not None else device
    backbone.to(device).eval()
    try:
        yield
    finally:
        backbone.to(home)
        for module, mode in modes.items():
            module.training = mode
