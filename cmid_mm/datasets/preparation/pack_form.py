"""One image file -> the bytes that a pack keeps of it."""

import math
import os
import struct
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from cmid_mm.datasets.crop_bound import smallest_side
from cmid_mm.datasets.decoding import Decoding, UnreadableImageError, decode_image
from cmid_mm.datasets.file_index import FileIndex

from .errors import PreparationError

_JPEG = b'\xff\xd8\xff'
_LARGEST_JPEG = 65_500  # pixels a side, libjpeg's limit
_MAX_PIXELS = 2**30  # LoadAerialImage's


class Entry(NamedTuple):
    """What one source file becomes in a pack.

    Attributes:
        stamp (bytes): Size and time of the file, see :func:`stamp`.
        data (bytes | None): JPEG or PNG; None if the file cannot be read.
        reason (str): Why it cannot.
    """

    stamp: bytes
    data: bytes | None
    reason: str = ''


@dataclass(frozen=True)
class PackForm:
    """How images are packed.

    An image is shrunk by the factor for which the smallest random crop (``min_area`` of the image, sides of ratio
    4 / 3) still has ``crop_size`` pixels a side, and never enlarged. Pillow's Hamming filter shrinks, in one step; from
    a factor of 4 on it starts from a decode at a power of two, at least twice as large as the result. Hamming, because
    views cut from the result vary as much as those cut from the file; Lanczos would sharpen, bilinear blur them.

    Args:
        crop_size: Side of the views, pixels.
        min_area: Smallest share of the image's area that a crop takes.
        quality: Of JPEG, 1 to 100. Colours keep their full resolution (4:4:4): after shrinking they hold detail.
        lossless: PNG instead of JPEG.
        bands, value_range: See :class:`~cmid_mm.datasets.transforms.loading.LoadAerialImage`.

    Raises:
        PreparationError: If a value is wrong.
    """

    crop_size: int = 224
    min_area: float = 0.3
    quality: int = 95
    lossless: bool = False
    bands: tuple[int, ...] | None = None
    value_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.crop_size < 1:
            raise PreparationError(f'--crop-size {self.crop_size} is too small; give 1 or more')
        if not 0 < self.min_area <= 1:
            raise PreparationError(f'--min-area {self.min_area} is no share of an image; give one above 0, up to 1')
        if not 1 <= self.quality <= 100:
            raise PreparationError(f'--quality {self.quality} is none of JPEG; give 1 to 100')
        if self.bands is not None and (len(self.bands) not in (1, 3) or min(self.bands) < 0):
            raise PreparationError(f'--bands {" ".join(map(str, self.bands))}: give one or three numbers, from 0')
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise PreparationError(f'--value-range {self.value_range[0]} {self.value_range[1]}: give the lower first')

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width in the pack of an image of this size, rounded up."""
        side = smallest_side(height, width, self.min_area)
        if side <= self.crop_size:
            return height, width
        return math.ceil(height * self.crop_size / side), math.ceil(width * self.crop_size / side)

    def reduction(self, height: int, width: int) -> int:
        """Power of two by which the image may be reduced while it is decoded."""
        half = smallest_side(height, width, self.min_area) / self.crop_size / 2
        return 1 << max(0, int(half).bit_length() - 1)

    def pack(self, path: str) -> bytes:
        """Bytes to keep of an image file.

        Raises:
            UnreadableImageError: If it is damaged.
            BandError: If it lacks the bands asked for.
        """
        decoding = Decoding(self.reduction, self.bands, self.value_range, _MAX_PIXELS)
        pixels, (height, width) = decode_image(path, decoding)
        target = self.target(height, width)
        if target == (height, width):
            if self.bands is None and (data := _jpeg_file(path)):
                return data
            return self._encode(Image.fromarray(pixels))
        factor = self.reduction(height, width)
        # A decode at 1 / factor is rounded up to whole pixels; the image ends within the last of them.
        box = (0, 0, width / factor, height / factor)
        return self._encode(Image.fromarray(pixels).resize(target[::-1], Image.Resampling.HAMMING, box))

    def _encode(self, image: Image.Image) -> bytes:
        out = BytesIO()
        if self.lossless or max(image.size) > _LARGEST_JPEG:
            image.save(out, 'PNG')
        else:
            image.save(out, 'JPEG', quality=self.quality, subsampling='4:4:4')
        return out.getvalue()


def pack_image(position: int, source: FileIndex, form: PackForm) -> Entry:
    """Pack one file of an index."""
    path = source[position]
    before = stamp(path)
    try:
        return Entry(before, form.pack(path))
    except UnreadableImageError as error:
        return Entry(before, None, error.reason)


def stamp(path: str) -> bytes:
    """Size and time of a file, 16 bytes; of one that is not there -1 each."""
    try:
        status = os.stat(path)
    except OSError:
        return struct.pack('<qq', -1, -1)
    return struct.pack('<qq', status.st_size, status.st_mtime_ns)


def stamped_size(value: bytes) -> int:
    """Bytes of a file, by its stamp."""
    return max(0, struct.unpack('<qq', value)[0])


def _jpeg_file(path: str) -> bytes | None:
    with open(path, 'rb') as file:
        start = file.read(len(_JPEG))
        return start + file.read() if start == _JPEG else None
