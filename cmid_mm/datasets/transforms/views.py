"""Two views of one image that know where their cells lie (CMID, Muhtar et al., TGRS 2023).

A view is a pipeline. The crop notes the centre of each feature cell of the view in pixels of the
image it was cut from, the flip mirrors these centres with the image, and ``TwoViews`` runs one
pipeline a view on the same image. Images are uint8 RGB arrays of shape (H, W, C).
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import cv2
import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform, Compose, RandomFlip, Resize
from mmpretrain.datasets.transforms import RandomResizedCrop
from mmpretrain.registry import TRANSFORMS

PositionUnits = Literal['pixel', 'released']
# The authors' guard against a division by zero where the crop fills a whole side. It also moves the
# other fractions in the eleventh digit, which parity with their arrays needs.
RELEASED_EPSILON = 1e-10


class Crop(NamedTuple):
    """A rectangle of an image, in pixels, and whether it was mirrored left to right afterwards."""

    height: float
    width: float
    top: float
    left: float
    flipped: bool = False


def cell_positions(
    crop: Crop,
    image_size: tuple[int, int],
    num_cells: int,
    units: PositionUnits = 'pixel',
) -> np.ndarray:
    """Centres of the feature cells of a crop in the coordinates of the image it was cut from.

    Coordinates are continuous: the first pixel of the image covers 0 to 1, its centre is 0.5.

    Args:
        crop (Crop): Where the view was cut and whether it was flipped.
        image_size (tuple[int, int]): Height and width of the image that was cropped, in pixels.
        num_cells (int): Cells a side, N; 7 for views of 224 pixels and stride 32.
        units (str): ``'pixel'``: true pixels. ``'released'``: as the authors' released code
            computes them, which stores the start of the crop as a fraction (0 to 1) of its free
            range beside sizes in pixels, so that distances hardly depend on where the crops lie.

    Returns:
        np.ndarray: (row, column) of each cell's centre, float64 of shape (N, N, 2).
    """
    top, left = crop.top, crop.left
    if units == 'released':
        top = top / (image_size[0] - crop.height + RELEASED_EPSILON)
        left = left / (image_size[1] - crop.width + RELEASED_EPSILON)
    centres = (np.arange(num_cells) + 0.5) / num_cells
    columns = left + centres * crop.width
    positions = np.empty((num_cells, num_cells, 2))
    positions[..., 0] = (top + centres * crop.height)[:, None]
    positions[..., 1] = columns[::-1] if crop.flipped else columns
    return positions


def _resize_bilinear(img: np.ndarray, size: int) -> np.ndarray:
    """Resize an image (H, W, C) to a square by bilinear steps, none of which shrinks by much over two.

    A single step by more than two would skip pixels and alias. OpenCV's own remedy, ``INTER_AREA``, takes
    five times as long (2.3 against 0.44 ms from 900 x 800 to 224 pixels).
    """
    while max(img.shape[:2]) >= 2 * size:
        height, width = (side // 2 if side >= 2 * size else side for side in img.shape[:2])
        img = mmcv.imresize(img, (width, height))
    return mmcv.imresize(img, (size, size))


def _channels_first(img: np.ndarray) -> torch.Tensor:
    """Copy an image (H, W, C) into a tensor (C, H, W): by planes, five times as fast as a permuted copy."""
    planes = np.empty((img.shape[2], *img.shape[:2]), img.dtype)
    cv2.split(np.ascontiguousarray(img), list(planes))
    return torch.from_numpy(planes)


@TRANSFORMS.register_module()
class Squeeze(Resize):
    """Resize the whole image to a square, whatever its aspect, and take the result for the image.

    The first step of the authors' recipe: 224 pixels, bicubic as Pillow computes it (smoothing
    where it shrinks, which OpenCV's bicubic does not). It costs the detail of large scenes. mmcv's
    ``Resize`` does the work; unlike it, this one leaves ``scale_factor`` at 1, because positions of
    views are then to be in pixels of the squeezed image.

    **Required Keys:** img. **Modified Keys:** img, img_shape, scale_factor, keep_ratio.

    Args:
        size (int): Side of the square in pixels. Defaults to 224.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    def __init__(self, size: int = 224) -> None:
        if size < 1:
            raise ValueError(f'Squeeze: size={size}; give a positive number of pixels.')
        super().__init__(scale=(size, size), backend='pillow', interpolation='bicubic')

    def transform(self, results: dict) -> dict:
        """Resize ``img`` and declare the result to be the image that views are cut from."""
        results = super().transform(results)
        results['scale_factor'] = (1.0, 1.0)
        return results


@TRANSFORMS.register_module()
class RandomResizedCropWithPositions(RandomResizedCrop):
    """Random resized crop that notes where the cells of the view lie in the image.

    The rectangle is drawn by mmpretrain's ``RandomResizedCrop``, which follows torchvision's rule:
    ten trials of a uniform area and a log-uniform aspect ratio, then the largest central crop of
    allowed aspect. Resizing is bilinear, in steps of a half where the crop is far larger than the
    view, so that no pixel is skipped.

    **Required Keys:** img, scale_factor (optional; decoded / original size as (w, h), 1 if absent).
    **Modified Keys:** img, img_shape. **Added Keys:** cell_positions, float32 (N, N, 2), the (row,
    column) centres of the cells, see :func:`cell_positions`.

    Args:
        size (int): Side of the view in pixels, a multiple of ``stride``. Defaults to 224.
        stride (int): Pixels of the view a cell, the total stride of the backbone. Defaults to 32.
        crop_ratio_range (tuple[float, float]): Area of the crop as a share of the image.
            Defaults to (0.3, 1).
        aspect_ratio_range (tuple[float, float]): Width / height of the crop. Defaults to (3/4,
            4/3).
        position_units (str): ``'pixel'``: pixels of the original file, also where it was decoded at
            a reduced scale. ``'released'``: the authors' convention, in the image as it is cropped.

    Raises:
        ValueError: At build time if ``size`` is not a multiple of ``stride`` or a range or unit is
            wrong; when called, if the image was flipped or cropped with positions before.
    """

    def __init__(
        self,
        size: int = 224,
        stride: int = 32,
        crop_ratio_range: tuple[float, float] = (0.3, 1.0),
        aspect_ratio_range: tuple[float, float] = (3 / 4, 4 / 3),
        position_units: PositionUnits = 'pixel',
    ) -> None:
        if stride < 1 or size < 1 or size % stride:
            raise ValueError(
                f'RandomResizedCropWithPositions: size={size} is not a positive multiple of '
                f'stride={stride}; choose a size that a whole number of cells fills.'
            )
        if not 0 < crop_ratio_range[0] <= crop_ratio_range[1] <= 1:
            raise ValueError(
                f'RandomResizedCropWithPositions: crop_ratio_range={tuple(crop_ratio_range)}; '
                'give shares of the area as (min, max) above 0 and up to 1.'
            )
        if not 0 < aspect_ratio_range[0] <= aspect_ratio_range[1]:
            raise ValueError(
                f'RandomResizedCropWithPositions: aspect_ratio_range={tuple(aspect_ratio_range)}; '
                'give positive ratios as (min, max).'
            )
        if position_units not in ('pixel', 'released'):
            raise ValueError(
                f"RandomResizedCropWithPositions: position_units={position_units!r}; choose 'pixel' or 'released'."
            )
        super().__init__(
            scale=size,
            crop_ratio_range=tuple(crop_ratio_range),
            aspect_ratio_range=tuple(aspect_ratio_range),
        )
        self.size = size
        self.num_cells = size // stride
        self.position_units = position_units

    # Without mmcv's ``cache_randomness``, which lets images share their draws, as views must not, and copies itself at
    # each call.
    rand_crop_params = vars(RandomResizedCrop)['rand_crop_params'].__wrapped__

    def transform(self, results: dict) -> dict:
        """Crop and resize ``img`` and add ``cell_positions``."""
        if results.get('flip') or 'cell_positions' in results:
            raise ValueError(
                'RandomResizedCropWithPositions: the image '
                f'{results.get("img_path", "(no path)")} was already flipped or cropped, so cell '
                'positions would not be in its pixels; put the crop first in each view.'
            )
        img = results['img']
        image_size = img.shape[:2]
        top, left, height, width = self.rand_crop_params(img)
        patch = img[top : top + height, left : left + width]
        view = _resize_bilinear(patch, self.size)
        # OpenCV drops the last axis of a one-band image.
        results['img'] = view.reshape(self.size, self.size, *img.shape[2:])
        results['img_shape'] = (self.size, self.size)

        crop = Crop(height, width, top, left)
        positions = cell_positions(crop, image_size, self.num_cells, self.position_units)
        if self.position_units == 'pixel':
            scale_w, scale_h = results.get('scale_factor', (1.0, 1.0))
            positions = positions / (scale_h, scale_w)
        results['cell_positions'] = positions.astype(np.float32)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size={self.size}, num_cells={self.num_cells}, '
            f'crop_ratio_range={self.crop_ratio_range}, '
            f'aspect_ratio_range={self.aspect_ratio_range}, '
            f'position_units={self.position_units!r})'
        )


@TRANSFORMS.register_module()
class RandomFlipWithPositions(RandomFlip):
    """Mirror the image left to right, and the cell positions with it.

    mmcv's ``RandomFlip`` draws and notes ``flip``; the image is mirrored by a copy in memory order,
    which later OpenCV steps need anyway.

    **Required Keys:** img, cell_positions (optional). **Modified Keys:** img, cell_positions.
    **Added Keys:** flip, flip_direction.

    Args:
        prob (float): Probability of a flip. Defaults to 0.5.

    Raises:
        ValueError: If ``prob`` is not a probability.
    """

    def __init__(self, prob: float = 0.5) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'RandomFlipWithPositions: prob={prob}; give a probability, 0 to 1.')
        super().__init__(prob=float(prob), direction='horizontal')

    def _choose_direction(self) -> str | None:
        # The number that np.random.choice, which takes five times as long, draws and compares.
        return 'horizontal' if np.random.rand() < self.prob else None

    def _flip(self, results: dict) -> None:
        img = results['img']
        results['img'] = cv2.flip(img, 1).reshape(img.shape)
        if 'cell_positions' in results:
            results['cell_positions'] = np.ascontiguousarray(results['cell_positions'][:, ::-1])


@TRANSFORMS.register_module()
class TwoViews(BaseTransform):
    """Run one pipeline a view on the same image and gather what the views yield.

    mmpretrain's ``MultiView`` copies the whole image for each view and keeps only ``img``. Here
    the pipelines share the image, read-only, so that a transform that writes into it fails at once
    instead of leaking into the next view; cell positions and masks are kept. Any number of views
    will do.

    **Required Keys:** img. **Modified Keys:** img, a list with one tensor (C, H, W) a view; img_shape,
    of the first.
    **Added Keys**, where the views yield them: cell_positions, float32 tensor (views, N, N, 2);
    mask, uint8 tensor (views, h, w); masked_cells, int64 tensor (views, n); noise, float64 tensor (views,
    operations, 3). They are tensors because ``PackInputs`` packs algorithm keys as they are.

    Args:
        views (Sequence[Sequence[dict | Callable]]): One pipeline for each view.

    Raises:
        ValueError: If there is no view; when called, if only some views yield a key or shapes
            differ.
    """

    GATHERED_KEYS = ('cell_positions', 'mask', 'masked_cells', 'noise')

    def __init__(self, views: Sequence[Sequence[dict | Callable]]) -> None:
        if not views:
            raise ValueError('TwoViews: views is empty; give one pipeline for each view.')
        # By mmpretrain's registry: Compose would use mmcv's where no default scope is set.
        self.views = [
            Compose([TRANSFORMS.build(step) if isinstance(step, dict) else step for step in view]) for view in views
        ]

    def transform(self, results: dict) -> dict | None:
        """Replace ``img`` by the list of views and stack their positions and masks."""
        image = results['img'].view()
        image.flags.writeable = False
        outputs = []
        for view in self.views:
            output = view({**results, 'img': image})
            if output is None:  # OpenMMLab's sign that a transform gave the sample up
                return None
            outputs.append(output)

        results['img'] = [_channels_first(output['img']) for output in outputs]
        results['img_shape'] = outputs[0]['img'].shape[:2]
        for key in self.GATHERED_KEYS:
            if any(key in output for output in outputs):
                results[key] = self._stack(key, outputs)
        return results

    @staticmethod
    def _stack(key: str, outputs: list[dict]) -> torch.Tensor:
        missing = [i for i, output in enumerate(outputs) if key not in output]
        if missing:
            raise ValueError(
                f'TwoViews: views {missing} of {len(outputs)} do not yield {key!r} while others do; '
                'give every view the transform that adds it, or none.'
            )
        values = [output[key] for output in outputs]
        shapes = [value.shape for value in values]
        if len(set(shapes)) > 1:
            raise ValueError(f'TwoViews: {key!r} has shapes {shapes} in the views; give all views one size.')
        return torch.from_numpy(np.array(values))

    def __repr__(self) -> str:
        return f'{type(self).__name__}(views={self.views})'
