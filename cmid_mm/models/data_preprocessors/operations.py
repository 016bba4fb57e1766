"""The operations of photometric noise on batches of images, each image by amounts of its own.

They compute what the functions of :mod:`cmid_mm.datasets.transforms.photometric` compute, to within one
grey level. torchvision's functions take one amount for a whole batch and look at it from the host.

Images are float32 RGB ``(B, 3, H, W)`` of whole levels, 0 to 255, and may be overwritten. Amounts are
``(B,)`` on the images' device. Nothing here makes the host wait for the device, and nothing is a matrix
product or a convolution, which autocast would round to half precision.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

# Red, green and blue of ITU-R 601.
GRAY_WEIGHTS = (0.299, 0.587, 0.114)


def adjust_brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Scale each image by its factor and cut to whole levels, as torchvision does."""
    return images.mul_(_per_image(factors)).clamp_(0, 255).floor_()


def adjust_contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Blend each image with the mean of its grey; the factor is its own share."""
    factors = _per_image(factors)
    mean = _gray(images).mean(dim=(1, 2, 3), keepdim=True)
    return images.mul_(factors).add_((1 - factors) * mean).clamp_(0, 255).floor_()


def adjust_saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Blend each image with its grey version; the factor is its own share."""
    factors = _per_image(factors)
    offset = _gray(images).mul_(1 - factors)
    # Cut to a whole number, but greys, whose two shares may add up to a little less, stay as they are.
    return images.mul_(factors).add_(offset).sub_(0.49).round_().clamp_(0, 255)


def adjust_hue(images: Tensor, shifts: Tensor) -> Tensor:
    """Turn the hue of each image by its share of the colour circle, -0.5 to 0.5, in hue, saturation and value."""
    red, green, blue = images.unbind(dim=1)
    value = images.amax(dim=1)
    chroma = value - images.amin(dim=1)
    # Levels are whole, so a chroma of less than 1 is 0: a grey, which has no hue and needs none.
    divisor = chroma.clamp(min=1)
    sixths = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    sixths += 6 * shifts[:, None, None]
    for channel, start in enumerate((5, 3, 1)):
        # A channel is at the value for two sixths of the circle, at value - chroma for two, and linear between.
        place = (sixths + start).remainder_(6)
        share = torch.minimum(place, 4 - place).clamp_(0, 1)
        images[:, channel] = torch.addcmul(value, chroma, share, value=-1)
    return images.round_()


def gaussian_blur(images: Tensor, kernels: Tensor, sigmas: Tensor, largest: int) -> Tensor:
    """Blur each image by its own odd kernel and sigma, in pixels, with mirrored borders.

    Args:
        images (Tensor): ``(B, 3, H, W)``; H and W exceed half of ``largest``.
        kernels (Tensor): Kernel sizes ``(B,)``.
        sigmas (Tensor): ``(B,)``.
        largest (int): The largest kernel size, known to the host.

    Returns:
        Tensor: Rounded levels ``(B, 3, H, W)``.
    """
    half = largest // 2
    taps = torch.arange(-half, half + 1, device=images.device)
    weights = torch.exp(-0.5 * (taps / sigmas[:, None]) ** 2) * (2 * taps.abs() < kernels[:, None])
    weights = (weights / weights.sum(dim=1, keepdim=True)).unbind(dim=1)
    for dim, borders in ((2, (0, 0, half, half)), (3, (half, half, 0, 0))):
        padded = F.pad(images, borders, mode='reflect')
        images = torch.zeros_like(images)
        for tap, weight in enumerate(weights):
            images.addcmul_(padded.narrow(dim, tap, images.size(dim)), _per_image(weight))
    return images.round_()


def add_noise(images: Tensor, sigmas: Tensor, seeds: Sequence[int]) -> Tensor:
    """Add Gaussian noise of a sigma, in levels, to each image, independent in each pixel and channel.

    Each image has a seed of its own, on the host: its noise depends neither on the batch that it is in nor
    on the global generators. The same seed gives other numbers on another kind of device.
    """
    noise = torch.empty_like(images)
    generator = torch.Generator(images.device)
    for plane, seed in zip(noise, seeds, strict=True):
        plane.normal_(generator=generator.manual_seed(seed))
    return images.addcmul_(noise, _per_image(sigmas)).round_().clamp_(0, 255)


def solarize(images: Tensor, thresholds: Tensor) -> Tensor:
    """Invert the levels from each image's threshold on."""
    return torch.where(images < _per_image(thresholds), images, 255 - images)


def to_gray(images: Tensor) -> Tensor:
    """Grey version (ITU-R 601), with three equal channels."""
    return _gray(images).expand_as(images)


def _gray(images: Tensor) -> Tensor:
    """Rounded grey levels ``(B, 1, H, W)``."""
    red, green, blue = images.split(1, dim=1)
    weights = GRAY_WEIGHTS
    return (red * weights[0]).add_(green, alpha=weights[1]).add_(blue, alpha=weights[2]).round_()


def _per_image(amounts: Tensor) -> Tensor:
    return amounts.view(-1, 1, 1, 1)
