"""Photometric noise for the second view (CMID, Muhtar et al., TGRS 2023), on uint8 RGB arrays.

The maths is torchvision's on uint8, to within one grey level, through OpenCV and look-up tables,
several times faster. Solarizing is mmpretrain's ``Solarize(thr=128)``, which is exact as it stands.
mmpretrain's other photometric transforms do not fit: ``ColorJitter`` takes images for BGR and
rounds hue to 256 steps, ``GaussianBlur`` is Pillow's of a radius without a kernel size,
``RandomGrayscale`` draws from another generator, and none adds noise. All numbers are drawn from
``np.random``, which the sampler seeds for each sample.
"""

import math
from abc import abstractmethod

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.datasets.transforms import ColorJitter
from mmpretrain.registry import TRANSFORMS


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


def _blend_table(factor: float, offset: float) -> np.ndarray:
    """Table of ``factor * value + offset`` for the 256 values, cut to uint8 as torchvision does."""
    values = np.arange(256, dtype=np.float32) * np.float32(factor) + np.float32(offset)
    return values.clip(0, 255).astype(np.uint8)


def _check_probability(transform: BaseTransform, prob: float) -> None:
    if not 0 <= prob <= 1:
        raise ValueError(f'{type(transform).__name__}: prob={prob}; give a probability, 0 to 1.')


def _check_rgb(transform: BaseTransform, results: dict) -> None:
    img = results['img']
    if img.dtype != np.uint8 or img.ndim != 3 or img.shape[2] != 3:
        raise ValueError(
            f'{type(transform).__name__}: image {results.get("img_path", "(no path)")} is '
            f'{img.dtype} of shape {img.shape}; colours are defined for uint8 RGB (H, W, 3) only, so '
            'choose three bands or leave this transform out.'
        )


class _RandomPhotometric(BaseTransform):
    """Apply :meth:`apply` to ``img`` with probability ``prob``; never in place.

    Args:
        prob (float): Probability of applying it.

    Raises:
        ValueError: If ``prob`` is not a probability.
    """

    def __init__(self, prob: float) -> None:
        _check_probability(self, prob)
        self.prob = prob

    @abstractmethod
    def apply(self, img: np.ndarray) -> np.ndarray:
        """Return a new image (H, W, C); draw what is random from ``np.random``."""

    def transform(self, results: dict) -> dict:
        """Change ``img`` with probability ``prob``."""
        if np.random.rand() < self.prob:
            img = results['img']
            results['img'] = self.apply(img).reshape(img.shape)
        return results

    def __repr__(self) -> str:
        settings = ', '.join(f'{name}={value}' for name, value in vars(self).items())
        return f'{type(self).__name__}({settings})'


@TRANSFORMS.register_module()
class RandomColorJitter(ColorJitter):
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

    def __init__(
        self,
        brightness: float | tuple[float, float] = 0.4,
        contrast: float | tuple[float, float] = 0.4,
        saturation: float | tuple[float, float] = 0.2,
        hue: float | tuple[float, float] = 0.1,
        prob: float = 0.8,
    ) -> None:
        _check_probability(self, prob)
        super().__init__(brightness=brightness, contrast=contrast, saturation=saturation, hue=hue)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Change the colours of ``img`` with probability ``prob``."""
        _check_rgb(self, results)
        if np.random.rand() >= self.prob:
            return results
        order, *amounts = self._rand_params()
        steps = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
        for index in order:
            if amounts[index] is not None:
                results['img'] = steps[index](results['img'], amounts[index])
        return results

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, prob={self.prob})'


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

    def apply(self, img: np.ndarray) -> np.ndarray:
        """Blur an image (H, W, C)."""
        low, high = self.kernel_range
        kernel = low + 2 * np.random.randint((high - low) // 2 + 1)
        sigma = np.random.uniform(*self.sigma_range)
        return cv2.GaussianBlur(img, (kernel, kernel), sigma, borderType=cv2.BORDER_REFLECT_101)


@TRANSFORMS.register_module()
class RandomGaussianNoise(_RandomPhotometric):
    """Add Gaussian noise, independent in each pixel and channel, to a uint8 image.

    mmpretrain has no such transform and torchvision's wants floating-point images. One number is
    drawn from ``np.random`` and seeds OpenCV's generator, which fills the array five times faster.

    **Required Keys:** img, uint8 (H, W, C). **Modified Keys:** img.

    Args:
        variance_range (tuple[float, float]): Range of the uniform variance, in squared 8-bit
            levels. Defaults to (10, 50).
        prob (float): Probability of applying it. Defaults to 0.6.

    Raises:
        ValueError: If the range is not as above.
    """

    def __init__(self, variance_range: tuple[float, float] = (10.0, 50.0), prob: float = 0.6) -> None:
        super().__init__(prob)
        if not 0 <= variance_range[0] <= variance_range[1]:
            raise ValueError(
                f'RandomGaussianNoise: variance_range={tuple(variance_range)}; '
                'give (min, max) in squared 8-bit levels, not below 0.'
            )
        self.variance_range = tuple(variance_range)

    def apply(self, img: np.ndarray) -> np.ndarray:
        """Return an image (H, W, C) with noise, rounded and cut to 0 to 255."""
        sigma = math.sqrt(np.random.uniform(*self.variance_range))
        cv2.setRNGSeed(np.random.randint(2**31 - 1))
        noise = np.empty(img.shape, np.int16)
        # randn fills at most four channels, each by a sigma of its own: fill the numbers as one
        # plane.
        cv2.randn(noise.reshape(len(noise), -1), 0, sigma)
        return cv2.add(img, noise, dtype=cv2.CV_8U)


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

    def __init__(self, prob: float = 0.2) -> None:
        super().__init__(prob)

    def transform(self, results: dict) -> dict:
        """Turn ``img`` to grey with probability ``prob``."""
        _check_rgb(self, results)
        return super().transform(results)

    def apply(self, img: np.ndarray) -> np.ndarray:
        """Return the grey version (H, W, 3)."""
        return to_gray(img)
