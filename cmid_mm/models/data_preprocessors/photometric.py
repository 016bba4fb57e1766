"""Photometric noise of a whole batch on the device (CMID, Muhtar et al., TGRS 2023)."""

from collections.abc import Callable
from typing import Any

import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ...datasets.transforms.photometric import OPERATIONS
from . import operations
from .views import ViewsDataPreprocessor, send

# Images (B, 3, H, W), and their two amounts on the device and, in double precision, on the host: (2, B) each.
_FUNCTIONS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    'brightness': lambda images, amounts, _: operations.adjust_brightness(images, amounts[0]),
    'contrast': lambda images, amounts, _: operations.adjust_contrast(images, amounts[0]),
    'saturation': lambda images, amounts, _: operations.adjust_saturation(images, amounts[0]),
    'hue': lambda images, amounts, _: operations.adjust_hue(images, amounts[0]),
    'blur': lambda images, amounts, host: operations.gaussian_blur(images, *amounts, largest=int(host[0].max())),
    'noise': lambda images, amounts, host: operations.add_noise(images, amounts[0], host[1].long().tolist()),
    'solarize': lambda images, amounts, _: operations.solarize(images, amounts[0]),
    'gray': lambda images, *_: operations.to_gray(images),
}


def apply_operations(images: Tensor, noise: Tensor) -> Tensor:
    """Apply to each image the operations that were drawn for it, in their order.

    In each place of the order every kind of operation runs once, on the images that it was drawn for.
    The host never waits for the device.

    Args:
        images (Tensor): uint8 RGB ``(B, 3, H, W)``, on any device.
        noise (Tensor): What ``DrawPhotometricNoise`` drew, ``(B, num_operations, 3)``, on the host.

    Returns:
        Tensor: float32 ``(B, 3, H, W)`` on the images' device, whole levels from 0 to 255.
    """
    groups = _groups(noise)
    levels = images.float()
    if not groups:
        return levels
    # One transfer for all indices and one for all amounts, of which every group takes its part.
    sizes = [len(index) for _, index, _ in groups]
    indices = send(torch.cat([index for _, index, _ in groups]), images.device).split(sizes)
    amounts = send(torch.cat([host for _, _, host in groups], dim=1).float(), images.device).split(sizes, dim=1)
    for (name, _, host), index, amount in zip(groups, indices, amounts, strict=True):
        if len(index) == len(levels):
            levels = _FUNCTIONS[name](levels, amount, host)
        else:
            levels.index_copy_(0, index, _FUNCTIONS[name](levels.index_select(0, index), amount, host))
    return levels


def _groups(noise: Tensor) -> list[tuple[str, Tensor, Tensor]]:
    """For each row and operation in it: its name, the images it is for ``(n,)`` and their amounts ``(2, n)``."""
    groups = []
    for row in noise.unbind(dim=1):
        for number in row[:, 0].unique().long().tolist():
            if number:
                index = (row[:, 0] == number).nonzero().flatten()
                groups.append((OPERATIONS[number - 1], index, row[index, 1:].T))
    return groups


@MODELS.register_module()
class PhotometricDataPreprocessor(ViewsDataPreprocessor):
    """``ViewsDataPreprocessor`` that first adds the photometric noise that the views drew.

    The work that the noise is goes to the device with the views. The distribution is that of the transforms that
    run in the workers: ``DrawPhotometricNoise`` draws the same amounts, and every operation but the Gaussian noise
    itself gives the same levels to within one. The data samples lose their ``noise``, which has had its effect.

    Outside training (``training=False``), it is mmpretrain's preprocessor and nothing else.

    Args:
        **kwargs: As ``SelfSupDataPreprocessor``: ``mean``, ``std`` and so on.

    Raises:
        TypeError: If the views are not a list of uint8 tensors of three channels.
        ValueError: If data samples have no noise, or not for this number of views.
    """

    def _levels(self, views: list[Tensor], samples: list[DataSample]) -> list[Tensor]:
        noise = self._noise(views, samples)
        return [apply_operations(send(view, self.device), drawn) for view, drawn in zip(views, noise, strict=True)]

    @staticmethod
    def _noise(views: Any, samples: list[DataSample]) -> tuple[Tensor, ...]:
        """What was drawn for each view: ``(B, num_operations, 3)``."""
        if not isinstance(views, list | tuple):
            raise TypeError(
                f'PhotometricDataPreprocessor: inputs is a {type(views).__name__}, not a list of views; make views '
                'with TwoViews and batches with default_collate.'
            )
        for index, view in enumerate(views):
            if view.dtype != torch.uint8 or view.ndim != 4 or view.size(1) != 3:
                raise TypeError(
                    f'PhotometricDataPreprocessor: view {index} is {view.dtype} of shape {tuple(view.shape)}; noise is '
                    'defined for uint8 RGB (B, 3, H, W) only, so leave normalising to this preprocessor.'
                )
        missing = [index for index, sample in enumerate(samples) if 'noise' not in sample]
        if missing:
            raise ValueError(
                f'PhotometricDataPreprocessor: {len(missing)} of {len(samples)} data samples have no noise; end every '
                "view with DrawPhotometricNoise and give PackInputs the algorithm key 'noise'."
            )
        noise = torch.stack([sample.noise for sample in samples])
        if noise.ndim != 4 or noise.size(1) != len(views):
            raise ValueError(
                f'PhotometricDataPreprocessor: noise has shape {tuple(noise.shape[1:])} for {len(views)} views; it is '
                '(views, operations, 3), as TwoViews gathers it.'
            )
        return noise.unbind(dim=1)
