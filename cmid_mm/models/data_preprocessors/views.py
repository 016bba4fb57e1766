"""Views of a whole batch on their way to the device."""

from typing import Any

import torch
from mmpretrain.models.utils import SelfSupDataPreprocessor
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to the device without waiting for what the device has still to do."""
    # To a GPU that is possible from page-locked memory alone.
    if device.type == 'cuda' and tensor.device.type == 'cpu' and not tensor.is_pinned():
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


@MODELS.register_module()
class ViewsDataPreprocessor(SelfSupDataPreprocessor):
    """mmpretrain's ``SelfSupDataPreprocessor`` that never makes the host wait for the device.

    Views travel as uint8 and are normalised on the device. What data samples carry (masks, positions) travels by one
    transfer a key, where mmpretrain's makes one for each sample and key.

    Outside training (``training=False``), it is mmpretrain's preprocessor and nothing else.

    Args:
        **kwargs: As ``SelfSupDataPreprocessor``: ``mean``, ``std`` and so on.
    """

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Move a batch to the device and normalise it.

        Args:
            data (dict): ``inputs``, views ``(B, 3, H, W)`` of levels 0 to 255; ``data_samples``, whose tensors have one
                shape in all samples.
            training (bool): Whether this is a training step. Defaults to False.

        Returns:
            dict: ``inputs``, float32 views ``(B, 3, H, W)``, and ``data_samples``, both on the device.

        Raises:
            ValueError: If data samples carry noise that nobody would apply.
        """
        if not training:
            return super().forward(data, training)
        levels = self._levels(data['inputs'], data['data_samples'])
        normalised = super().forward(dict(inputs=levels, data_samples=None), training)
        return dict(normalised, data_samples=self._move(data['data_samples']))

    def _levels(self, views: list[Tensor], samples: list[DataSample]) -> list[Tensor]:
        """The views on the device, as they are to be normalised."""
        if any('noise' in sample for sample in samples):
            raise ValueError(
                f'{type(self).__name__}: the views have drawn photometric noise (DrawPhotometricNoise), which would be '
                "left out; set data_preprocessor.type='PhotometricDataPreprocessor'."
            )
        return [send(view, self.device) for view in views]

    def _move(self, samples: list[DataSample]) -> list[DataSample]:
        """Copies of the samples on the device, without noise, which has had its effect."""
        moved = [sample.new() for sample in samples]
        for sample in moved:
            sample.pop('noise', None)
        for key, first in list(moved[0].items()):
            if isinstance(first, Tensor):
                values = send(torch.stack([sample.get(key) for sample in moved]), self.device)
                for sample, value in zip(moved, values.unbind(), strict=True):
                    sample.set_data({key: value})
        return moved
