"""Files -> RGB pixels: JPEG, PNG and TIFF of any usual depth, whole or at a reduced scale.

A file that is damaged raises :class:`UnreadableImageError`, always; a request that an intact file
cannot meet (bands it does not have) raises its subclass :class:`BandError`.
"""

import errno
import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import imagecodecs
import numpy as np
import simplejpeg
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from .names import printable
from .tiff import read_tiff
from .value_range import to_uint8

# What Pillow, tifffile and imagecodecs raise on damaged bytes (found by cutting and flipping them).
_DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    struct.error,
    zlib.error,
)
# What a decoder says of JPEG data that it filled in, or guessed, all the same.
_JPEG_DAMAGE = ('Corrupt JPEG data', 'Premature end', 'Inconsistent progression')
_AFTER_THE_PIXELS = 'extraneous bytes before marker 0xd9'  # the end marker: nothing is missing
_PNG_BANDS = {0: 1, 2: 3, 4: 2}  # by colour type
_BYTES_A_PIXEL = 4  # of 8-bit RGBA, which max_pixels counts
# Trouble of the machine, not of the file: to count it as a bad image would hide it.
_MACHINE_ERRNOS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class UnreadableImageError(RuntimeError):
    """A file that is missing, damaged, cut short or no image.

    Args:
        path (str): The file.
        reason (str): What is wrong with it, in one line.
    """

    _between = ' cannot be read as an image: '

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f'{printable(path)}{self._between}{reason}')
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple:
        return type(self), (self.path, self.reason)


class BandError(UnreadableImageError):
    """An intact file does not have the bands that the configuration asks for."""

    _between = ': '


class _BandChoiceError(ValueError):
    """Why bands cannot be chosen, of a file whose name is not known here."""


@dataclass(frozen=True)
class Decoding:
    """How files become pixels.

    Args:
        reduction (Callable): ``(height, width) -> factor``, a power of two: each side may be
            decoded at 1 / factor.
        bands (Sequence[int], optional): Indices of the one or three bands to use; see
            :class:`~cmid_mm.datasets.transforms.loading.LoadAerialImage`.
        value_range (tuple[float, float], optional): Values that become 0 and 255 where the file
            is not 8-bit; None stretches each band between its 2nd and 98th percentile.
        max_pixels (int): Files of more pixels are refused, and those whose pixels take the memory of
            more 8-bit RGBA pixels than that.
    """

    reduction: Callable[[int, int], int]
    bands: Sequence[int] | None
    value_range: tuple[float, float] | None
    max_pixels: int

    def factor(self, height: int, width: int) -> int:
        """Reduction of one file, whose size is checked first."""
        if height * width > self.max_pixels:
            raise ValueError(f'{width} x {height} pixels are more than max_pixels={self.max_pixels}')
        return self.reduction(height, width)

    def check_memory(self, size: int) -> None:
        """Refuse an image before ``size`` bytes are taken for its pixels.

        Raises:
            ValueError: If it is too large.
        """
        if size > _BYTES_A_PIXEL * self.max_pixels:
            raise ValueError(
                f'its pixels take {size} bytes of memory, more than {_BYTES_A_PIXEL} for each of '
                f'max_pixels={self.max_pixels}'
            )

    def choose(self, count: int, alpha: bool = False) -> list[int]:
        """Indices of the three bands to take of ``count``, the last of them maybe an alpha."""
        if self.bands is None:
            colours = count - alpha
            if colours == 2:
                raise _BandChoiceError(
                    'it has 2 bands, so which to show as red, green and blue must be '
                    'said by bands=(i,) or bands=(i, j, k)'
                )
            return [0, 0, 0] if colours < 3 else [0, 1, 2]
        if max(self.bands) >= count:
            raise _BandChoiceError(
                f'bands={tuple(self.bands)} are asked of it, but it has only the bands 0 to {count - 1}; correct bands'
            )
        return list(self.bands) * (3 if len(self.bands) == 1 else 1)


def decode_image(path: str, decoding: Decoding) -> tuple[np.ndarray, tuple[int, int]]:
    """Read one image file.

    The format is told from the first bytes, not from the name. EXIF orientation is ignored:
    pixels come as they are stored, as geodata tools show them. Pipes, sockets and devices, whose bytes
    may never come or never end, are not read.

    Args:
        path (str): JPEG, PNG or TIFF file.
        decoding (Decoding): Bands, value range and scale.

    Returns:
        tuple: RGB uint8 pixels (H', W', 3) and the file's own size (H, W);
        H' = ceil(H / factor).

    Raises:
        UnreadableImageError: If the file is missing, damaged, cut short or no such image.
        BandError: If it lacks the bands asked for.
    """
    with naming_errors(path), open(path, 'rb', opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError('it is no file but a pipe, socket or device')
        return _reader(file.read(8))(file, decoding)


def decode_bytes(data: bytes, name: str, decoding: Decoding) -> tuple[np.ndarray, tuple[int, int]]:
    """The same as :func:`decode_image` for the bytes of a file (of a member of an archive, say) called ``name``."""
    with naming_errors(name):
        return _reader(data[:8])(BytesIO(data), decoding)


@contextmanager
def naming_errors(path: str) -> Iterator[None]:
    """Turn whatever decoders raise into an :class:`UnreadableImageError` or :class:`BandError` that names the file."""
    try:
        yield
    except _BandChoiceError as error:
        raise BandError(path, str(error)) from None
    except _DECODER_ERRORS as error:
        if isinstance(error, OSError) and error.errno in _MACHINE_ERRNOS:
            raise
        message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = ' '.join(message.split()) or type(error).__name__
        raise UnreadableImageError(path, reason) from error


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting, as for a pipe that nobody writes to."""
    return os.open(path, flags | os.O_NONBLOCK)


def _reader(magic: bytes) -> Callable:
    if magic.startswith(b'\xff\xd8\xff'):
        return _read_jpeg
    if magic == b'\x89PNG\r\n\x1a\n':
        return _read_png
    if magic[:4] in (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+'):
        return _read_tiff
    if not magic:
        raise ValueError('the file is empty')
    raise ValueError(f'neither JPEG nor PNG nor TIFF (it begins with {magic!r})')


# Both Pillow readers are called by class: Image.open would refuse legal images of 30,000 pixels a
# side by a limit that is one global of the process; max_pixels is ours.
def _read_jpeg(file: BinaryIO, decoding: Decoding) -> tuple[np.ndarray, tuple[int, int]]:
    """JPEG, decoded at 1/2, 1/4 or 1/8 by its cosine transform; the rest of a reduction averages.

    simplejpeg gives the pixels that Pillow gives, without the copies that Pillow makes of them, and
    refuses a file at the slightest doubt. Where the doubt is of no consequence for the pixels, and for
    other colours, Pillow has the word; alone it would fill what is missing with grey and say nothing,
    as OpenCV does.
    """
    file.seek(0)
    data = file.read()
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        colours = None
    if colours is not None:
        factor = decoding.factor(height, width)
        own = [0, 0, 0] if colours == 'Gray' else [0, 1, 2]
        chosen = decoding.choose(len(set(own)))
        scale = min(factor, 8)
        inks = colours in ('CMYK', 'YCCK')
        smallest = dict(min_height=-(-height // scale), min_width=-(-width // scale), min_factor=scale)
        try:
            pixels = simplejpeg.decode_jpeg(data, 'CMYK' if inks else 'RGB', **smallest)
        except ValueError as error:
            if str(error).startswith(_JPEG_DAMAGE) and _AFTER_THE_PIXELS not in str(error):
                raise
        else:
            if not inks:
                pixels = pixels if chosen == own else pixels[..., chosen]
                return _reduce(pixels, factor // scale), (height, width)
    image = JpegImageFile(BytesIO(data))
    width, height = image.size
    factor = decoding.factor(height, width)
    if factor > 1:
        scale = min(factor, 8)
        image.draft(None, (width // scale, height // scale))
        factor = factor // scale
    return _finish(_plain_mode(image), decoding, factor), (height, width)


def _read_png(file: BinaryIO, decoding: Decoding) -> tuple[np.ndarray, tuple[int, int]]:
    file.seek(0)
    data = file.read()
    if len(data) < 26:
        raise ValueError('the file ends within its header')
    width, height, depth, colour_type = struct.unpack_from('>IIBB', data, 16)
    factor = decoding.factor(height, width)
    if depth == 16:  # Pillow would keep only the high byte of 16-bit colour
        bands = _PNG_BANDS.get(colour_type, 4)
        decoding.check_memory(2 * bands * height * width)
        pixels = imagecodecs.png_decode(data)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        chosen = decoding.choose(pixels.shape[2], alpha=pixels.shape[2] in (2, 4))
        rgb = to_uint8(pixels[..., chosen], decoding.value_range)
        return _reduce(rgb, factor), (height, width)
    _check_png(data)
    image = PngImageFile(BytesIO(data))
    if image.mode == 'P' and image.palette is None:
        raise ValueError('its palette is missing')
    image.load()
    last_row = image.crop((0, height - 1, width, height))
    if last_row.getbbox(alpha_only=False) is None:
        # Pillow leaves rows black that the file does not have; libpng refuses it.
        imagecodecs.png_decode(data)
    return _finish(_plain_mode(image), decoding, factor), (height, width)


def _check_png(data: bytes) -> None:
    """Compare the checksums of the pixels' chunks, which Pillow skips: damage in the last rows would go unnoticed."""
    position = 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from('>I4s', data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            return  # cut short, as Pillow will say
        if kind == b'IDAT':
            checksum = zlib.crc32(memoryview(data)[position + 4 : end])
            if checksum != int.from_bytes(data[end : end + 4], 'big'):
                raise ValueError('the checksum of its pixels is wrong, so they were changed')
        position = end + 4


def _read_tiff(file: BinaryIO, decoding: Decoding) -> tuple[np.ndarray, tuple[int, int]]:
    pixels, nodata, factor, size = read_tiff(file, decoding.factor, decoding.choose, decoding.check_memory)
    return _reduce(to_uint8(pixels, decoding.value_range, nodata), factor), size


def _plain_mode(image: Image.Image) -> Image.Image:
    """Decode; palettes, CMYK and the like become RGB, one-bit images grey."""
    if image.mode == '1':
        return image.convert('L')
    if image.mode in ('L', 'LA', 'RGB', 'RGBA'):
        image.load()
        return image
    return image.convert('RGB')


def _finish(image: Image.Image, decoding: Decoding, factor: int) -> np.ndarray:
    """Choose the bands of an 8-bit image and reduce it."""
    chosen = decoding.choose(len(image.getbands()), alpha=image.mode in ('LA', 'RGBA'))
    if image.mode in ('RGB', 'RGBA') and chosen == [0, 1, 2]:
        image = image.convert('RGB')  # of RGBA this drops alpha and leaves the colours as they are
    elif image.mode != 'L':
        image = Image.merge('RGB', [image.getchannel(band) for band in chosen])
    if factor > 1:
        image = image.reduce(factor)
    return np.array(image.convert('RGB'))


def _reduce(rgb: np.ndarray, factor: int) -> np.ndarray:
    """Average squares of ``factor`` x ``factor`` pixels: (H, W, 3) -> (ceil(H / factor), ...)."""
    if factor == 1:
        return np.ascontiguousarray(rgb)
    return np.array(Image.fromarray(np.ascontiguousarray(rgb)).reduce(factor))
