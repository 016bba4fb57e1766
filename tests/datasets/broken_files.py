"""Bytes of broken and unusual image files, with the pixels that a reader must see in them.

What a kind is made of is written by the format's own rules here where no library writes it: lying headers, wrong
checksums, chains that lead into themselves, bombs.
"""

import base64
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import imagecodecs
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 48, 64
_ROWS, _COLUMNS = np.mgrid[:HEIGHT, :WIDTH]


def picture(bands: int = 3) -> np.ndarray:
    """Smooth bands that no flip or turn leaves as they are, (48, 64, bands) uint8."""
    waves = [np.sin(_ROWS / (7 + band)) + np.cos(_COLUMNS / (11 + band)) for band in range(bands)]
    return ((np.stack(waves, 2) + 2.5) * 45).clip(0, 255).astype(np.uint8)


PICTURE = picture()
GREY = np.repeat(PICTURE[..., :1], 3, axis=2)
BLACK = np.zeros_like(PICTURE)
# Made with jpegtran -arithmetic of libjpeg-turbo 2.1.5 from PICTURE[:16, :24]: no library here writes such files.
_ARITHMETIC = base64.b64decode(
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIU'
    'FRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/yQARCAAQABgDAREAAhEB'
    'AxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwDSvXbiVdiNVlY/7Q77w7JZmqWimyOKzNUbhuBDizQzUjZ/WA0YjeHsHKZFZ/jX0DUF4UopvCb3esWn'
    'i0Xs/9k='
)


class File(NamedTuple):
    """One kind of file.

    Attributes:
        name (str): Of the kind.
        suffix (str): Of the file's name.
        data (Callable): Makes the bytes.
        pixels (np.ndarray | None): RGB that must be read, uint8; None: the file must be skipped.
        reason (str): What the reason must match if it is skipped.
        tolerance (float): Mean difference of a value that lossy formats may make.
    """

    name: str
    suffix: str
    data: Callable[[], bytes]
    pixels: np.ndarray | None = None
    reason: str = ''
    tolerance: float = 0.0


def saved(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    """An image as Pillow writes it."""
    out = io.BytesIO()
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(out, kind, **options)
    return out.getvalue()


# ---- JPEG


def jpeg(image: Image.Image | np.ndarray = PICTURE, **options: object) -> bytes:
    """A JPEG file of quality 95."""
    return saved(image, 'JPEG', quality=95, **options)


def turned(orientation: int) -> bytes:
    """A JPEG with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return jpeg(exif=exif)


def damaged_scan(data: bytes) -> bytes:
    """The second half of the scan overwritten with a byte that makes no valid codes."""
    middle = len(data) // 2
    return data[:middle] + b'\x55' * (len(data) - middle - 2) + data[-2:]


def with_size(data: bytes, height: int, width: int) -> bytes:
    """A baseline JPEG whose frame header tells another size."""
    at = data.index(b'\xff\xc0') + 5
    return data[:at] + struct.pack('>HH', height, width) + data[at + 4 :]


def two_pictures() -> bytes:
    """An MPO file, as stereo cameras and phones write it: the first picture counts."""
    return saved(PICTURE, 'MPO', quality=95, save_all=True, append_images=[Image.fromarray(BLACK)])


def jpegs() -> Iterator[File]:
    """Kinds of JPEG."""
    inks = np.dstack([PICTURE, np.full((HEIGHT, WIDTH, 1), 255, np.uint8)])
    for name, data, pixels in (
        ('baseline', jpeg, PICTURE),
        ('progressive', lambda: jpeg(progressive=True), PICTURE),
        ('arithmetic', lambda: _ARITHMETIC, PICTURE[:16, :24]),
        ('444', lambda: jpeg(subsampling='4:4:4'), PICTURE),
        ('411', lambda: jpeg(subsampling='4:1:1'), PICTURE),
        ('grey', lambda: jpeg(PICTURE[..., 0]), GREY),
        ('stored as rgb', lambda: jpeg(keep_rgb=True), PICTURE),
        ('cmyk', lambda: jpeg(Image.fromarray(PICTURE).convert('CMYK')), PICTURE),
        ('ycck', lambda: imagecodecs.jpeg8_encode(inks, 95, colorspace='CMYK', outcolorspace='YCCK'), PICTURE),
        ('restart markers', lambda: jpeg(restart_marker_blocks=2), PICTURE),
        ('lossless', lambda: imagecodecs.jpeg8_encode(PICTURE, lossless=True), PICTURE),
        ('two pictures', two_pictures, PICTURE),
        ('garbage after its end', lambda: jpeg() + bytes(range(256)) * 40, PICTURE),
        ('another after its end', lambda: jpeg() + jpeg(BLACK), PICTURE),
        ('padding before its end', lambda: jpeg()[:-2] + bytes(5) + b'\xff\xd9', PICTURE),
        ('damaged exif', lambda: jpeg(exif=b'Exif\0\0MM\0*' + b'\xff' * 40), PICTURE),
        ('large icc profile', lambda: jpeg(icc_profile=bytes(300_000)), PICTURE),
        *((f'exif {turn}', lambda turn=turn: turned(turn), PICTURE) for turn in range(1, 9)),
    ):
        yield File(f'jpeg {name}', '.jpg', data, pixels, tolerance=2)
    for name, data, reason in (
        ('12 bits', lambda: imagecodecs.jpeg8_encode(PICTURE.astype(np.uint16), bitspersample=12), '12-bit'),
        ('cut in its header', lambda: jpeg()[:40], ''),
        ('cut before its scan', lambda: jpeg()[:500], ''),
        ('cut in its scan', lambda: jpeg()[: len(jpeg()) // 2], 'Premature end'),
        ('without its end marker', lambda: jpeg()[:-2], 'Premature end'),
        ('cut and closed', lambda: jpeg()[: len(jpeg()) // 2] + b'\xff\xd9', 'premature end of data'),
        ('grey cut and closed', lambda: jpeg(PICTURE[..., 0])[:400] + b'\xff\xd9', 'premature end of data'),
        ('cmyk cut and closed', lambda: jpeg(Image.fromarray(inks, 'CMYK'))[:900] + b'\xff\xd9', 'premature end'),
        ('progressive cut', lambda: jpeg(progressive=True)[:-150] + b'\xff\xd9', '(?i)premature end'),
        ('damaged scan', lambda: damaged_scan(jpeg()), 'Corrupt JPEG data'),
        ('filled up with zeros', lambda: jpeg()[:1200] + bytes(2000), ''),
        ('garbage before its start', lambda: b'\r\n' + jpeg(), 'neither JPEG nor PNG nor TIFF'),
        ('width 0', lambda: with_size(jpeg(), HEIGHT, 0), ''),
        ('height 0', lambda: with_size(jpeg(), 0, WIDTH), ''),
        ('bomb', lambda: with_size(jpeg(), 65_500, 65_500), 'more than max_pixels'),
    ):
        yield File(f'jpeg {name}', '.jpg', data, None, reason)


# ---- PNG


def chunk(kind: bytes, data: bytes, wrong: int = 0) -> bytes:
    """A chunk, with a wrong checksum if asked."""
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data) ^ wrong)


def png(pixels: np.ndarray = PICTURE, depth: int = 8, colour: int = 2, **options: object) -> bytes:
    """A PNG of stored rows, with ``before`` (chunks) ahead of the pixels, and wrong checksums of chunks by name."""
    rows = b''.join(b'\0' + row.tobytes() for row in pixels)
    size = options.get('size', pixels.shape[1::-1])
    head = struct.pack('>IIBBBBB', *size, depth, colour, 0, 0, 0)
    body = options.get('body', zlib.compress(rows, options.get('level', 9)))
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', head, options.get('ihdr', 0))
        + options.get('before', b'')
        + chunk(b'IDAT', body, options.get('idat', 0))
        + chunk(b'IEND', b'')
    )


def changed_pixels() -> bytes:
    """The last row of an uncompressed PNG changed after it was written."""
    data = bytearray(png(level=0))
    data[-60] ^= 0xFF
    return bytes(data)


def interlaced() -> bytes:
    """Adam7, both with 8 bits."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = b''
    for top, left, down, right in passes:
        rows += b''.join(b'\0' + row.tobytes() for row in PICTURE[top::down, left::right])
    head = struct.pack('>IIBBBBB', WIDTH, HEIGHT, 8, 2, 0, 0, 1)
    parts = chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + parts


def pngs() -> Iterator[File]:
    """Kinds of PNG."""
    palette = Image.fromarray(PICTURE).convert('P')
    few = Image.fromarray(PICTURE).quantize(14)
    two = PICTURE[..., 0] > 100
    alpha = np.dstack([PICTURE, PICTURE[..., 0]])
    wide = PICTURE.astype('>u2') * 257
    # With its least value 0 and its highest 65535 in 2% of the pixels each, the stretch is the whole range.
    wide[:2], wide[-2:] = 0, 65535
    stretched = (wide >> 8).astype(np.uint8)
    grey16 = np.repeat(stretched[..., :1], 3, 2)
    quarter = PICTURE[..., 0] >> 6
    packed = (quarter.reshape(HEIGHT, -1, 4) << [6, 4, 2, 0]).sum(2).astype(np.uint8)
    text = b'a\0\0' + zlib.compress(bytes(50_000_000))
    for name, data, pixels in (
        ('rgb', png, PICTURE),
        ('interlaced', interlaced, PICTURE),
        ('palette', lambda: saved(palette, 'PNG'), np.asarray(palette.convert('RGB'))),
        ('palette with alpha', lambda: saved(palette, 'PNG', transparency=3), np.asarray(palette.convert('RGB'))),
        ('palette of 4 bits', lambda: saved(few, 'PNG', bits=4), np.asarray(few.convert('RGB'))),
        ('1 bit', lambda: saved(two, 'PNG'), np.repeat(two[..., None], 3, 2) * np.uint8(255)),
        ('2 bits', lambda: png(packed, 2, 0, size=(WIDTH, HEIGHT)), np.repeat(quarter[..., None] * 85, 3, 2)),
        ('grey', lambda: saved(PICTURE[..., 0], 'PNG'), GREY),
        ('grey with alpha', lambda: png(alpha[..., [0, 3]], colour=4), GREY),
        ('alpha', lambda: png(alpha, colour=6), PICTURE),
        ('transparent colour', lambda: png(before=chunk(b'tRNS', bytes(6))), PICTURE),
        ('16 bits', lambda: png(wide, 16), stretched),
        ('16 bits with alpha', lambda: png(np.dstack([wide, wide[..., 0]]), 16, 6), stretched),
        ('16 bits grey', lambda: png(wide[..., 0], 16, 0), grey16),
        ('16 bits grey and transparent', lambda: png(wide[..., 0], 16, 0, before=chunk(b'tRNS', bytes(2))), grey16),
        ('animated', lambda: saved(PICTURE, 'PNG', save_all=True, append_images=[Image.fromarray(BLACK)]), PICTURE),
        ('empty chunk of pixels', lambda: png(before=chunk(b'IDAT', b'')), PICTURE),
        ('without its end chunk', lambda: png()[:-12], PICTURE),
        ('garbage after its end', lambda: png() + bytes(range(256)) * 40, PICTURE),
        ('40,000 pixels wide', lambda: png(np.tile(PICTURE[:3], (1, 625, 1))), np.tile(PICTURE[:3], (1, 625, 1))),
        ('one pixel', lambda: png(PICTURE[:1, :1]), PICTURE[:1, :1]),
        ('one row', lambda: png(PICTURE[:1]), PICTURE[:1]),
        ('one column', lambda: png(PICTURE[:, :1]), PICTURE[:, :1]),
    ):
        yield File(f'png {name}', '.png', data, pixels)
    for name, data, reason in (
        ('signature alone', lambda: png()[:8], 'ends within its header'),
        ('cut in its header', lambda: png()[:22], 'ends within its header'),
        ('cut before its pixels', lambda: png()[:33], ''),
        ('cut in its pixels', lambda: png()[: len(png()) // 2], ''),
        ('wrong checksum of its header', lambda: png(ihdr=1), 'checksum'),
        ('wrong checksum of its pixels', lambda: png(idat=1), 'checksum'),
        ('wrong checksum of a remark', lambda: png(before=chunk(b'gAMA', bytes(4), 1)), 'checksum'),
        ('changed pixels', changed_pixels, 'checksum'),
        ('too few rows', lambda: png(size=(WIDTH, HEIGHT + 9)), 'Not enough image data'),
        ('width 0', lambda: png(size=(0, HEIGHT)), ''),
        ('without its palette', lambda: png(PICTURE[..., 0], colour=3), 'palette is missing'),
        ('bomb', lambda: png(size=(60_000, 60_000), body=zlib.compress(bytes(10_000_000))), 'more than max_pixels'),
        ('bomb of 16 bits', lambda: png(depth=16, colour=6, size=(32_000, 32_000)), 'bytes of memory'),
        ('bomb of text', lambda: png(before=chunk(b'zTXt', text)), 'too large'),
        ('bomb of a profile', lambda: png(before=chunk(b'iCCP', text)), 'too large'),
    ):
        yield File(f'png {name}', '.png', data, None, reason)


# ---- what is neither JPEG nor PNG nor TIFF


def gif_bomb() -> bytes:
    """A GIF of a few bytes that declares 4 billion pixels."""
    return b'GIF89a' + struct.pack('<HHBBB', 65_535, 65_535, 0, 0, 0) + b'\x3b'


def others() -> Iterator[File]:
    """Other formats and no format at all, under the name of a JPEG."""
    noise = np.random.default_rng(0).integers(0, 256, 4000, np.uint8).tobytes()
    for name, data in (
        ('gif', lambda: saved(PICTURE, 'GIF')),
        ('gif bomb', gif_bomb),
        ('bmp', lambda: saved(PICTURE, 'BMP')),
        ('webp', lambda: saved(PICTURE, 'WEBP')),
        ('jpeg 2000', lambda: imagecodecs.jpeg2k_encode(PICTURE)),
        ('jpeg xl', lambda: imagecodecs.jpegxl_encode(PICTURE)),
        ('avif', lambda: saved(PICTURE, 'AVIF')),
        ('numpy', lambda: b'\x93NUMPY\x01\0' + bytes(100)),
        ('zip', lambda: b'PK\x03\x04' + bytes(100)),
        ('gzip of a jpeg', lambda: zlib.compress(jpeg(), wbits=31)),
        ('pdf', lambda: b'%PDF-1.7\n'),
        ('page of a web server', lambda: b'<!DOCTYPE html><title>404 Not Found</title>'),
        ('text', lambda: b'see the readme\n'),
        ('git-lfs pointer', lambda: b'version https://git-lfs.github.com/spec/v1\nsize 12\n'),
        ('zeros', lambda: bytes(5000)),
        ('noise', lambda: noise),
        ('one byte', lambda: b'\xff'),
    ):
        yield File(f'{name} named jpg', '.jpg', data, None, 'neither JPEG nor PNG nor TIFF')
    yield File('zero bytes', '.jpg', bytes, None, 'the file is empty')
    for name, suffix, data in (('png', '.jpg', png), ('tiff', '.png', lambda: saved(PICTURE, 'TIFF'))):
        yield File(f'{name} named {suffix[1:]}', suffix, data, PICTURE)
    yield File('jpeg named tif', '.tif', jpeg, PICTURE, tolerance=2)
