"""Pairs of images -> a batch for :class:`TwoDateEncoderDecoder`."""

from typing import Any

from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS


@MODELS.register_module()
class PairDataPreprocessor(SegDataPreProcessor):
    """mmsegmentation's preprocessor for two dates in one image ``(6, H, W)``.

    ``mean`` and ``std``, three values or one, are applied to each date, and ``bgr_to_rgb`` or ``rgb_to_bgr`` turns
    the channels of each. Everything else, arguments included, is that of ``SegDataPreProcessor``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self._enable_normalize:
            self.mean, self.std = (value.expand(3, 1, 1).repeat(2, 1, 1) for value in (self.mean, self.std))

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Cast, turn channels, normalise, pad and stack.

        Args:
            data (dict): ``inputs``, images ``(6, H, W)``, and ``data_samples``.
            training (bool): Whether images of unequal size are padded. Defaults to False.

        Returns:
            dict: ``inputs`` ``(B, 6, H, W)`` and ``data_samples``.

        Raises:
            ValueError: If an image does not have 6 channels.
        """
        data = self.cast_data(data)
        inputs = data['inputs']
        for image in inputs:
            if image.size(0) != 6:
                raise ValueError(
                    f'PairDataPreprocessor takes two dates in 6 channels, but an image has shape {tuple(image.shape)}; '
                    'load pairs with LoadImagePair'
                )
        if self._channel_conversion:
            inputs = [image[[2, 1, 0, 5, 4, 3]] for image in inputs]
        return super().forward(dict(data, inputs=inputs), training)
