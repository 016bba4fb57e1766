"""Loading of aerial and satellite images for training on random crops."""

from collections.abc import Sequence

from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS

from ..crop_bound import MAX_RATIO, smallest_side
from ..decoding import BandError, Decoding, UnreadableImageError, decode_bytes, decode_image

__all__ = ['BandError', 'LoadAerialImage', 'UnreadableImageError']


@TRANSFORMS.register_module()
class LoadAerialImage(BaseTransform):
    """Read a JPEG, PNG or TIFF file as RGB, at a reduced scale where random crops allow it.

    A random crop of at least ``min_area`` of the image and a ratio of sides of at most ``max_ratio``
    has no side under ``s = min(sqrt(min_area * H * W / max_ratio), H, W)`` pixels. The image is
    decoded at 1 / f of its size, f being the largest power of two for which ``s / f`` is still at
    least ``crop_size``; so no crop is ever enlarged because of it. JPEG is decoded at up to 1/8 by
    its cosine transform, TIFF from the smallest sufficient overview; what remains is averaged.

    - Grey images get three equal channels; alpha is dropped, colours under it stay as stored.
    - EXIF orientation is ignored: pixels come as stored.
    - 16-bit, signed and floating images are brought to 8 bits by
      :func:`~cmid_mm.datasets.value_range.to_uint8`; GDAL's nodata value becomes 0.

    **Required Keys:** ``img_path``; ``img_bytes``, the file's bytes, where it is read from a pack (removed)

    **Added Keys:** ``img`` (uint8, (H', W', 3), RGB), ``img_shape`` (H', W'), ``ori_shape`` (H, W),
    ``scale_factor`` (W' / W, H' / H)

    Args:
        crop_size (int): Side of the views that will be cut, in pixels; 0 decodes whole images.
            Defaults to 224.
        min_area (float): Smallest share of the image's area that a crop takes. Defaults to 0.3.
        max_ratio (float): Largest ratio of a crop's sides, at least 1. Defaults to 4 / 3.
        bands (Sequence[int], optional): One or three indices, from 0, of the bands that become
            red, green and blue. Defaults to None: the first three, or the only one three times.
        value_range (tuple[float, float], optional): Values that become 0 and 255 in images that
            are not 8-bit, such as ``(0, 10000)`` for reflectances. Defaults to None: the 2nd and
            98th percentile of each band of each image.
        max_pixels (int): Larger files count as unreadable, as a guard against files made to
            fill the memory. Defaults to 2**30, above 30,000 x 30,000.
    """

    def __init__(
        self,
        crop_size: int = 224,
        min_area: float = 0.3,
        max_ratio: float = MAX_RATIO,
        bands: Sequence[int] | None = None,
        value_range: tuple[float, float] | None = None,
        max_pixels: int = 2**30,
    ) -> None:
        if crop_size < 0:
            raise ValueError(f'crop_size of LoadAerialImage is {crop_size}; it must be 0 or more')
        if not 0 < min_area <= 1:
            raise ValueError(f'min_area of LoadAerialImage is {min_area}; it must be in (0, 1]')
        if max_ratio < 1:
            raise ValueError(f'max_ratio of LoadAerialImage is {max_ratio}; it must be at least 1')
        if bands is not None and (len(bands) not in (1, 3) or min(bands) < 0):
            raise ValueError(f'bands of LoadAerialImage is {bands}; give one or three indices, from 0')
        if value_range is not None and not value_range[0] < value_range[1]:
            raise ValueError(f'value_range of LoadAerialImage is {value_range}; give (low, high), low < high')
        self.crop_size = crop_size
        self.min_area = min_area
        self.max_ratio = max_ratio
        self.bands = bands
        self.value_range = value_range
        self.max_pixels = max_pixels

    def reduction(self, height: int, width: int) -> int:
        """Power of two by which an image of this size may be reduced."""
        if self.crop_size == 0:
            return 1
        side = smallest_side(height, width, self.min_area, self.max_ratio)
        return 1 << max(0, int(side / self.crop_size).bit_length() - 1)

    def transform(self, results: dict) -> dict:
        """Load ``results['img_bytes']`` if they are there, the file ``results['img_path']`` if not.

        Raises:
            UnreadableImageError: If the file is missing, damaged, cut short or no image.
            BandError: If an intact file lacks the bands asked for.
        """
        decoding = Decoding(self.reduction, self.bands, self.value_range, self.max_pixels)
        path, data = results['img_path'], results.pop('img_bytes', None)
        image, (height, width) = decode_image(path, decoding) if data is None else decode_bytes(data, path, decoding)
        results['img'] = image
        results['img_shape'] = image.shape[:2]
        results['ori_shape'] = (height, width)
        results['scale_factor'] = (image.shape[1] / width, image.shape[0] / height)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(crop_size={self.crop_size}, min_area={self.min_area}, '
            f'max_ratio={self.max_ratio}, bands={self.bands}, value_range={self.value_range})'
        )
