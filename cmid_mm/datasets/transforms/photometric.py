"""Photometric noise for the second view (CMID, Muhtar et al., TGRS 2023), on uint8 RGB arrays.

A step draws operations, such as ``contrast by 1.2``, and applies them to the image; or
``DrawPhotometricNoise`` only writes down what the same steps draw, and
:class:`~cmid_mm.models.data_preprocessors.PhotometricDataPreprocessor` applies it on the device.

The maths is torchvision's on uint8, to within one grey level, through OpenCV and look-up tables,
several times faster. Solarizing is mmpretrain's ``Solarize(thr=128)``, which is exact as it stands.
mmpretrain's other photometric transforms do not fit: ``ColorJitter`` takes images for BGR and
rounds hue to 256 steps, ``GaussianBlur`` is Pillow's of a radius without a kernel size,
``RandomGrayscale`` draws from another generator, and none adds noise. All numbers are drawn from
``np.random``, which the sampler seeds for each sample.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmpretrain.datasets.transforms import ColorJitter, Solarize
from mmpretrain.registry import TRANSFORMS

# Quantiles of the standard normal distribution, one for each value of 16 random bits.
NORMAL_QUANTILES = torch.special.ndtri((torch.arange(2**16, dtype=torch.float64) + 0.5) / 2**16).float().numpy()


class Operation(NamedTuple):
    """One drawn change of an image: its name and by how much.

    ============================== ==================================================
    brightness contrast saturation factor
    hue                            share of the colour circle, -0.5 to 0.5
    blur                           kernel size and sigma, in pixels
    noise                          sigma in 8-bit levels, and seed
    solarize                       threshold; levels from there on are inverted
    gray                           nothing
    ============================== ==================================================
    """

    name: str
    amounts: tuple[float, ...] = ()


# The number that stands for a name in ``DrawPhotometricNoise``'s array is its place here, from 1.
OPERATIONS = ('brightness', 'contrast', 'saturation', 'hue', 'blur', 'noise', 'solarize', 'gray')


def adjust_brightness(img: np.ndarray, factor: float) -> np.ndarray:
    """Scale an image (H, W, C) by ``factor`` and cut at 255."""
    return cv2.LUT(img, _blend_table(factor, 0.0))


def adjust_contrast(img: np.ndarray, factor: float) -> np.ndarray:
    """Blend an RGB image (H, W, 3) with the mean of its grey; ``factor`` is its own share."""
    mean = cv2.mean(cv2.cvtColor(img, cv2.COLOR_RGB2GRAY))[0]
    return cv2.LUT(img, _blend_table(factor, (1 - factor) * mean))


def adjust_saturation(img: np.ndarray, factor: float) -> np.ndarray:
    """Blend an RGB image (H, W, 3) with its grey version; ``factor`` is its own share."""
    # torchvision cuts the result to a whole number where OpenCV rounds: hence the offset, just under
    # a half, so that whole values (greys) stay as they are.
    return cv2.addWeighted(img, factor, to_gray(img), 1 - factor, -0.49)


def adjust_hue(img: np.ndarray, shift: float) -> np.ndarray:
    """Turn the hue of an RGB image (H, W, 3) by ``shift`` of the colour circle, -0.5 to 0.5.

    In float32: eight-bit hue has steps of 1.4 degrees, which move colours by up to three levels.
    """
    unit = np.multiply(img, np.float32(1 / 255), dtype=np.float32)
    hsv = cv2.cvtColor(unit, cv2.COLOR_RGB2HSV)
    # OpenCV takes hues from 0 to 720 degrees, but none below 0.
    hsv[..., 0] += np.float32(shift % 1 * 360)
    return cv2.convertScaleAbs(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), alpha=255)


def to_gray(img: np.ndarray) -> np.ndarray:
    """Grey version (ITU-R 601) of an RGB image, with three equal channels (H, W, 3)."""
    return cv2.cvtColor(cv2.cvtColor(img, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def gaussian_blur(img: np.ndarray, kernel: int, sigma: float) -> np.ndarray:
    """Blur an image (H, W, C) by ``kernel`` x ``kernel`` pixels, odd, with mirrored borders.

    By separate filters in floating point: faster than ``cv2.GaussianBlur``, whose weights for eight
    bits are rounded to 1/256.
    """
    weights = cv2.getGaussianKernel(kernel, sigma, cv2.CV_32F)
    return cv2.sepFilter2D(img, -1, weights, weights, borderType=cv2.BORDER_REFLECT_101)


def add_noise(img: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Add Gaussian noise of ``sigma`` levels, up to 255, rounded and cut to 0 to 255, to an image (H, W, C).

    Each value of each pixel turns 16 random bits of its own into the quantile that they number, so
    values are independent, every whole level has its probability to within 2**-17, and none
    exceeds 4.2 sigma. Half the time of ``cv2.randn``.
    """
    bits = np.random.SFC64(seed).random_raw(math.ceil(img.size / 4)).view(np.uint16)[: img.size]
    table = np.rint(NORMAL_QUANTILES * np.float32(sigma)).astype(np.int16)
    return cv2.add(img, table.take(bits).reshape(img.shape), dtype=cv2.CV_8U)


def _blend_table(factor: float, offset: float) -> np.ndarray:
    """Table of ``factor * value + offset`` for the 256 values, cut to uint8 as torchvision does."""
    values = np.arange(256, dtype=np.float32) * np.float32(factor) + np.float32(offset)
    return values.clip(0, 255).astype(np.uint8)


_FUNCTIONS = {
    'brightness': adjust_brightness,
    'contrast': adjust_contrast,
    'saturation': adjust_saturation,
    'hue': adjust_hue,
    'blur': gaussian_blur,
    'noise': add_noise,
    'gray': to_gray,
}


class _RandomPhotometric(BaseTransform):
    """Draw operations with probability ``prob`` and apply them to ``img``; never in place.

    Args:
        prob (float): Probability of applying it.

    Raises:
        ValueError: If ``prob`` is not a probability.
    """

    num_operations = 1  # at most, of one call
    rgb_only = False

    def __init__(self, prob: float) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'{type(self).__name__}: prob={prob}; give a probability, 0 to 1.')
        self.prob = prob

    @abstractmethod
    def _draw(self) -> list[Operation]:
        """Draw from ``np.random`` what to apply, in order."""

    def draw(self) -> list[Operation]:
        """Draw from ``np.random`` whether to apply anything and, if so, what, in order."""
        return self._draw() if np.random.rand() < self.prob else []

    def transform(self, results: dict) -> dict:
        """Change ``img`` with probability ``prob``."""
        if self.rgb_only:
            _check_rgb(self, results)
        for operation in self.draw():
            img = results['img']
            # OpenCV drops the last axis of a one-band image.
            results['img'] = _FUNCTIONS[operation.name](img, *operation.amounts).reshape(img.shape)
        return results

    def __repr__(self) -> str:
        settings = ', '.join(f'{name}={value}' for name, value in vars(self).items())
        return f'{type(self).__name__}({settings})'


def _check_rgb(transform: BaseTransform, results: dict) -> None:
    img = results['img']
    if img.dtype != np.uint8 or img.ndim != 3 or img.shape[2] != 3:
        raise ValueError(
            f'{type(transform).__name__}: image {results.get("img_path", "(no path)")} is '
            f'{img.dtype} of shape {img.shape}; colours are defined for uint8 RGB (H, W, 3) only, so '
            'choose three bands or leave this transform out.'
        )


@TRANSFORMS.register_module()
class RandomColorJitter(_RandomPhotometric, ColorJitter):
    """Change brightness, contrast, saturation and hue of an RGB image, in random order.

    Ranges and draws are those of mmpretrain's ``ColorJitter`` (factors uniform in [1 - x, 1 + x],
    hue uniform in [-x, x], as in torchvision); only how pixels are computed differs, see this
    module's head.

    **Required Keys:** img, uint8 RGB (H, W, 3). **Modified Keys:** img.

    Args:
        brightness (float | tuple[float, float]): Defaults to 0.4.
        contrast (float | tuple[float, float]): Defaults to 0.4.
        saturation (float | tuple[float, float]): Defaults to 0.2.
        hue (float | tuple[float, float]): Share of the colour circle. Defaults to 0.1.
        prob (float): Probability of applying it. Defaults to 0.8.

    Raises:
        ValueError: At build time if a number is out of its range; when called, if the image is not
            uint8 RGB.
    """

    num_operations = 4
    rgb_only = True

    def __init__(
        self,
        brightness: float | tuple[float, float] = 0.4,
        contrast: float | tuple[float, float] = 0.4,
        saturation: float | tuple[float, float] = 0.2,
        hue: float | tuple[float, float] = 0.1,
        prob: float = 0.8,
    ) -> None:
        _RandomPhotometric.__init__(self, prob)
        ColorJitter.__init__(self, brightness=brightness, contrast=contrast, saturation=saturation, hue=hue)

    def _draw(self) -> list[Operation]:
        order, *amounts = self._rand_params()
        # The order numbers brightness, contrast, saturation and hue as OPERATIONS begins.
        return [Operation(OPERATIONS[index], (amounts[index],)) for index in order if amounts[index] is not None]


@TRANSFORMS.register_module()
class RandomGaussianBlur(_RandomPhotometric):
    """Gaussian blur with a random odd kernel size and a random sigma; borders are mirrored.

    **Required Keys:** img. **Modified Keys:** img.

    Args:
        kernel_range (tuple[int, int]): Smallest and largest kernel, both odd, in pixels.
            Defaults to (3, 7).
        sigma_range (tuple[float, float]): Range of the uniform sigma, in pixels. Defaults to (0.1,
            2).
        prob (float): Probability of applying it. Defaults to 1.

    Raises:
        ValueError: If a range is not as above.
    """

    def __init__(
        self,
        kernel_range: tuple[int, int] = (3, 7),
        sigma_range: tuple[float, float] = (0.1, 2.0),
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        low, high = kernel_range
        if not 1 <= low <= high or low % 2 == 0 or high % 2 == 0:
            raise ValueError(f'RandomGaussianBlur: kernel_range={tuple(kernel_range)}; give two odd sizes (min, max).')
        if not 0 < sigma_range[0] <= sigma_range[1]:
            raise ValueError(f'RandomGaussianBlur: sigma_range={tuple(sigma_range)}; give positive (min, max).')
        self.kernel_range = tuple(kernel_range)
        self.sigma_range = tuple(sigma_range)

    def _draw(self) -> list[Operation]:
        low, high = self.kernel_range
        kernel = low + 2 * np.random.randint((high - low) // 2 + 1)
        return [Operation('blur', (kernel, np.random.uniform(*self.sigma_range)))]


@TRANSFORMS.register_module()
class RandomGaussianNoise(_RandomPhotometric):
    """Add Gaussian noise, independent in each pixel and channel, to a uint8 image.

    mmpretrain has no such transform and torchvision's wants floating-point images. Drawn from
    ``np.random`` are the variance and a seed for the noise itself.

    **Required Keys:** img, uint8 (H, W, C). **Modified Keys:** img.

    Args:
        variance_range (tuple[float, float]): Range of the uniform variance, in squared 8-bit
            levels, at most 255**2. Defaults to (10, 50).
        prob (float): Probability of applying it. Defaults to 0.6.

    Raises:
        ValueError: If the range is not as above.
    """

    def __init__(self, variance_range: tuple[float, float] = (10.0, 50.0), prob: float = 0.6) -> None:
        super().__init__(prob)
        if not 0 <= variance_range[0] <= variance_range[1] <= 255**2:
            raise ValueError(
                f'RandomGaussianNoise: variance_range={tuple(variance_range)}; '
                'give (min, max) in squared 8-bit levels, from 0 to 255**2.'
            )
        self.variance_range = tuple(variance_range)

    def _draw(self) -> list[Operation]:
        sigma = math.sqrt(np.random.uniform(*self.variance_range))
        return [Operation('noise', (sigma, np.random.randint(2**31 - 1)))]


@TRANSFORMS.register_module()
class RandomToGray(_RandomPhotometric):
    """Turn an RGB image to grey (ITU-R 601) and keep three channels.

    **Required Keys:** img, uint8 RGB (H, W, 3). **Modified Keys:** img.

    Args:
        prob (float): Probability of applying it. Defaults to 0.2.

    Raises:
        ValueError: At build time if ``prob`` is no probability; when called, if the image is not
            uint8 RGB.
    """

    rgb_only = True

    def __init__(self, prob: float = 0.2) -> None:
        super().__init__(prob)

    def _draw(self) -> list[Operation]:
        return [Operation('gray')]


@TRANSFORMS.register_module()
class DrawPhotometricNoise(BaseTransform):
    """Draw what the steps of photometric noise would do to this view, and leave its pixels alone.

    The noise itself is then computed on the device, for a whole batch, by
    ``PhotometricDataPreprocessor``. The draws are those of the steps themselves: under the same
    seed both ways draw the same amounts. Give every view this transform, the ones without noise
    with ``steps=[]``, and ``PackInputs`` the algorithm key ``noise``.

    **Required Keys:** img, uint8 RGB (H, W, 3). **Added Keys:** noise, float64 (num_operations, 3):
    a row an operation, in order, as (number, amount, amount), see :data:`OPERATIONS`; a row of
    zeros does nothing. Every step has rows of its own, whether it was drawn or not, so that one row
    of a batch holds few kinds of operation.

    Args:
        steps (Sequence[dict | BaseTransform]): ``RandomColorJitter``, ``RandomGaussianBlur``,
            ``RandomGaussianNoise``, ``RandomToGray`` or mmpretrain's ``Solarize``, any number of
            them in any order.
        num_operations (int): Rows, the same in all views; a jitter takes four, any other step one.
            Defaults to 8, which one of each needs.

    Raises:
        ValueError: At build time if a step is another transform or the rows do not suffice; when
            called, if there are steps and the image is not uint8 RGB.
    """

    def __init__(self, steps: Sequence[dict | BaseTransform], num_operations: int = 8) -> None:
        self.steps = [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in steps]
        for index, step in enumerate(self.steps):
            if not isinstance(step, _RandomPhotometric | Solarize):
                raise ValueError(
                    f'DrawPhotometricNoise: steps[{index}] is {type(step).__name__}, which the device does not '
                    'compute; put it into the view before this transform, or take it out.'
                )
        needed = sum(self._rows(step) for step in self.steps)
        if needed > num_operations:
            raise ValueError(
                f'DrawPhotometricNoise: the steps take up to {needed} operations, but num_operations='
                f'{num_operations}; set num_operations={needed} in every view.'
            )
        self.num_operations = num_operations

    @staticmethod
    def _rows(step: BaseTransform) -> int:
        return getattr(step, 'num_operations', 1)

    @staticmethod
    def _draw(step: BaseTransform) -> list[Operation]:
        if not isinstance(step, Solarize):
            return step.draw()
        if step.random_disable():
            return []
        return [Operation('solarize', (step.random_magnitude() if step.thr is None else step.thr,))]

    def transform(self, results: dict) -> dict:
        """Add ``noise``."""
        if self.steps:
            _check_rgb(self, results)
        noise = np.zeros((self.num_operations, 3))
        row = 0
        for step in self.steps:
            for offset, (name, amounts) in enumerate(self._draw(step)):
                noise[row + offset, : 1 + len(amounts)] = (OPERATIONS.index(name) + 1, *amounts)
            row += self._rows(step)
        results['noise'] = noise
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(steps={self.steps}, num_operations={self.num_operations})'
