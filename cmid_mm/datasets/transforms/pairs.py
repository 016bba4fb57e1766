"""Transforms of two dates, which travel as one image ``(H, W, 6)``: first date BGR, then second date BGR.

So mmsegmentation's ``RandomCrop``, ``RandomFlip``, ``RandomResize`` and ``RandomRotate`` treat both dates and the label
alike. ``EachDate`` is for noise that should differ between the dates, ``BothDates`` for geometry whose code stops at
four channels, and :func:`check_pair_pipeline` finds what needs one of them.
"""

import copy
import random
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform, Pad
from mmengine import fileio
from mmseg.datasets import transforms as seg
from mmseg.registry import TRANSFORMS

# Aerial files carry no useful orientation, and masks are read without it; deep files must not be cut to 8 bits.
_READ = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


@TRANSFORMS.register_module()
class LoadImagePair(BaseTransform):
    """Load ``img_path`` and ``img_path2`` to ``img`` ``(H, W, 6)``, uint8, BGR twice.

    Adds ``img_shape`` and ``ori_shape``, both ``(H, W)``.

    Args:
        backend_args (dict, optional): Of mmengine's file backend. Defaults to None.

    Raises:
        FileNotFoundError: If one of the two files is missing.
        ValueError: If one is no image or not of 8 bits, or if they differ in size.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the pair to ``results``."""
        paths = results['img_path'], results['img_path2']
        first, second = (self._read(path, *paths) for path in paths)
        if first.shape != second.shape:
            sizes = [f'{image.shape[1]} x {image.shape[0]}' for image in (first, second)]
            raise ValueError(
                f'the pair {paths[0]} ({sizes[0]} pixels) and {paths[1]} ({sizes[1]} pixels) differs in size; '
                'bring both dates to one grid of pixels'
            )
        results['img'] = np.concatenate([first, second], axis=-1)
        results['img_shape'] = results['ori_shape'] = first.shape[:2]
        return results

    def _read(self, path: str, first: str, second: str) -> np.ndarray:
        pair = f'the pair {first} and {second}'
        try:
            data = fileio.get(path, backend_args=self.backend_args)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'{pair} is incomplete: there is no file {path}; restore or remove it') from error
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _READ) if data else None
        if image is None:
            raise ValueError(f'{pair} cannot be loaded: {path} is no readable image; replace or remove it')
        if image.dtype != np.uint8:
            raise ValueError(f'{pair} cannot be loaded: {path} holds {image.dtype} values; convert it to 8 bits')
        return image


class _OfDates(BaseTransform):
    """Applies transforms to one date at a time."""

    def __init__(self, transforms: Sequence[dict]) -> None:
        self.transforms = [TRANSFORMS.build(transform) for transform in transforms]

    def _apply(self, results: dict, image: np.ndarray) -> dict:
        one = {key: copy.deepcopy(value) for key, value in results.items() if key != 'img'}
        one['img'] = np.ascontiguousarray(image)
        for transform in self.transforms:
            one = transform(one)
        return one

    def __repr__(self) -> str:
        return f'{type(self).__name__}(transforms={self.transforms})'


@TRANSFORMS.register_module()
class EachDate(_OfDates):
    """Apply transforms to each date with random numbers of its own, for noise such as ``PhotoMetricDistortion``.

    Only the pixels of what they return are kept.

    Args:
        transforms (Sequence[dict]): Transforms of an image of three channels.

    Raises:
        ValueError: When one of them moves pixels, which would part the dates from each other and from the label.
    """

    def transform(self, results: dict) -> dict:
        """Change ``img`` of ``results``."""
        height, width = results['img'].shape[:2]
        # A label in which neighbours differ shows whether pixels move.
        places = (np.arange(height * width) % 251).astype(np.uint8).reshape(height, width)
        probed = {**results, 'gt_seg_map': places, 'seg_fields': ['gt_seg_map']}
        images = []
        for image in np.split(results['img'], 2, axis=-1):
            out = self._apply(probed, image)
            if out['img'].shape != image.shape or not np.array_equal(out['gt_seg_map'], places):
                names = ', '.join(type(transform).__name__ for transform in self.transforms)
                raise ValueError(
                    f'EachDate({names}) moves the pixels of each date to other places, away from the label; put '
                    'geometry into the pipeline itself or into BothDates'
                )
            images.append(out['img'])
        results['img'] = np.concatenate(images, axis=-1)
        return results


@TRANSFORMS.register_module()
class BothDates(_OfDates):
    """Apply transforms to each date with the same random numbers, for geometry that stops at four channels.

    Those are ``Pad`` and ``RandomRotate`` with a ``pad_val`` other than 0: OpenCV fills at most four channels.

    Args:
        transforms (Sequence[dict]): Transforms of an image of three channels and its label, whose random numbers come
            from NumPy or from ``random``.
    """

    def transform(self, results: dict) -> dict:
        """Change ``img`` of ``results`` and all that the transforms change for the first date."""
        first, second = np.split(results['img'], 2, axis=-1)
        states = np.random.get_state(), random.getstate()
        out = self._apply(results, first)
        np.random.set_state(states[0])
        random.setstate(states[1])
        out['img'] = np.concatenate([out['img'], self._apply(results, second)['img']], axis=-1)
        return out


@TRANSFORMS.register_module()
class SwapDates(BaseTransform):
    """Exchange the dates with probability ``prob``: change has no direction, so the label stays.

    Args:
        prob (float): From 0 to 1. Defaults to 0.5.
    """

    def __init__(self, prob: float = 0.5) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'SwapDates: prob={prob} is no probability; give a number from 0 to 1')
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Change ``img`` of ``results``."""
        if np.random.rand() < self.prob:
            results['img'] = np.roll(results['img'], 3, axis=-1)
        return results

    def __repr__(self) -> str:
        return f'SwapDates(prob={self.prob})'


def check_pair_pipeline(pipeline: object) -> None:
    """Refuse transforms that fail on six channels, or treat the dates unlike.

    Args:
        pipeline (object): The built pipeline of a dataset, or one transform.

    Raises:
        ValueError: If such a transform stands in the pipeline itself instead of in ``EachDate`` or ``BothDates``.
    """
    for transform in _unfolded(pipeline):
        name = type(transform).__name__
        if isinstance(transform, (seg.PhotoMetricDistortion, seg.CLAHE, seg.RGB2Gray)):
            raise ValueError(
                f'{name} takes one image of three channels, not a pair; write '
                f"dict(type='EachDate', transforms=[dict(type='{name}')]) in the pipeline"
            )
        if isinstance(transform, Pad) or (isinstance(transform, seg.RandomRotate) and transform.pal_val != 0):
            raise ValueError(
                f'{name} cannot fill the six channels of a pair (OpenCV stops at four); write '
                f"dict(type='BothDates', transforms=[dict(type='{name}', ...)]) in the pipeline"
            )


def _unfolded(transform: object) -> Iterator[object]:
    """The transform and all inside it, except those that work on single dates."""
    if isinstance(transform, _OfDates):
        return
    yield transform
    inner = getattr(transform, 'transforms', [])
    for item in inner if isinstance(inner, (list, tuple)) else [inner]:
        yield from _unfolded(item)
