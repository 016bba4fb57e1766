"""Change detection as segmentation of two dates."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor, nn

from .joins import KeepDates


@MODELS.register_module()
class TwoDateEncoderDecoder(EncoderDecoder):
    """mmsegmentation's ``EncoderDecoder`` on two dates: one backbone sees both, a join makes one tuple of maps.

    Both dates go through the backbone in one batch, so that batch norm, where it trains, shares its statistics
    between them. Training, whole and sliding-window inference are those of ``EncoderDecoder``.

    Args:
        join (dict): Module called as ``join(first, second)`` with the maps of each date, such as
            ``AbsoluteDifference``, ``Concatenation`` or ``KeepDates``.
        backbone (dict): Takes ``(2 * B, 3, H, W)`` and returns a tuple of maps.
        decode_head (dict): Any decode head; it takes what the join, or the neck, returns.
        neck (dict, optional): Any neck, after the join. Defaults to None.
        auxiliary_head (dict or list[dict], optional): Heads for training only. Defaults to None.
        **kwargs: Those of ``EncoderDecoder``: ``train_cfg``, ``test_cfg``, ``data_preprocessor``, ``init_cfg``.

    Raises:
        ValueError: If there is a neck after ``KeepDates``, whose maps have five dimensions.
    """

    def __init__(
        self,
        join: dict,
        backbone: dict,
        decode_head: dict,
        neck: dict | None = None,
        auxiliary_head: dict | Sequence[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone, decode_head, neck=neck, auxiliary_head=auxiliary_head, **kwargs)
        self.join = MODELS.build(join)
        if self.with_neck and isinstance(self.join, KeepDates):
            raise ValueError(
                f'the neck {neck["type"]} cannot take the two dates that the join KeepDates hands on; leave the neck '
                'out, or join with AbsoluteDifference or Concatenation'
            )

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the joined maps of both dates.

        Args:
            inputs (Tensor): First and second date along the channels, ``(B, 6, H, W)``.

        Returns:
            tuple[Tensor]: What the join, or the neck, returns.

        Raises:
            ValueError: If there are not 6 channels, or a head's ``in_channels`` do not fit the join.
        """
        if inputs.shape[1] != 6:
            raise ValueError(
                f'TwoDateEncoderDecoder takes two dates, (B, 6, H, W), but got {tuple(inputs.shape)}; load pairs with '
                'LoadImagePair and batch them with PairDataPreprocessor'
            )
        maps = self.backbone(torch.cat(inputs.split(3, dim=1)))
        first, second = zip(*(both.chunk(2) for both in maps), strict=True)
        joined = self.join(first, second)
        if self.with_neck:
            return self.neck(joined)
        self._check_channels(joined)
        return joined

    def _check_channels(self, maps: Sequence[Tensor]) -> None:
        for name, head in self._heads():
            if not isinstance(head, BaseDecodeHead):
                continue
            chosen = head.in_index if isinstance(head.in_index, Sequence) else [head.in_index]
            given = [maps[index].shape[-3] for index in chosen]
            wanted = list(head.in_channels) if isinstance(head.in_channels, Sequence) else [head.in_channels]
            if wanted not in (given, [sum(given)]):
                raise ValueError(
                    f'{name}: in_channels={wanted} does not fit the maps {list(chosen)}, in which '
                    f'{type(self.join).__name__} leaves {given} channels; set in_channels to these'
                )

    def _heads(self) -> Iterator[tuple[str, nn.Module]]:
        yield 'decode_head', self.decode_head
        if self.with_auxiliary_head:
            several = isinstance(self.auxiliary_head, nn.ModuleList)
            for head in self.auxiliary_head if several else [self.auxiliary_head]:
                yield 'auxiliary_head', head
