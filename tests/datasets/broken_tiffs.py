"""Bytes of broken and unusual TIFF files, with the pixels that a reader must see in them."""

import io
import runpy
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

_FILES = runpy.run_path(str(Path(__file__).with_name('broken_files.py')))
File, saved, picture = _FILES['File'], _FILES['saved'], _FILES['picture']
PICTURE, GREY, BLACK = _FILES['PICTURE'], _FILES['GREY'], _FILES['BLACK']
HEIGHT, WIDTH = PICTURE.shape[:2]
_INTEGERS = 256  # what one level of the 8-bit picture is in files of more bits


def tiff(pixels: np.ndarray = PICTURE, **options: object) -> bytes:
    """A TIFF file as tifffile writes it."""
    out = io.BytesIO()
    colours = 'rgb' if pixels.ndim == 3 and pixels.shape[2] == 3 else 'minisblack'
    tifffile.imwrite(out, pixels, **{'photometric': colours, 'metadata': None, **options})
    return out.getvalue()


def pages(*images: np.ndarray, **options: object) -> bytes:
    """A TIFF file of several pages."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        for image in images:
            colours = 'rgb' if image.ndim == 3 else 'minisblack'
            file.write(image, photometric=colours, metadata=None, contiguous=False, **options)
    return out.getvalue()


def raw(data: bytes = PICTURE[..., 0].tobytes(), **tags: int) -> bytes:
    """A TIFF of one grey strip whose tags are as told, true or not; ``following`` is the next page's place."""
    following = tags.pop('following', 0)
    names = dict(width=256, height=257, bits=258, compression=259, colours=262, offset=273, bands=277, rows=278)
    names |= dict(count=279, kind=339)
    values = dict(width=WIDTH, height=HEIGHT, bits=8, compression=1, colours=1, bands=1, rows=HEIGHT, kind=1)
    values |= dict(count=len(data), offset=0)
    values = {name: value for name, value in {**values, **tags}.items() if value is not None}
    values['offset'] = tags.get('offset', 8 + 2 + 12 * len(values) + 4)
    entries = b''.join(
        struct.pack('<HHII', names[name], 4, 1, values[name]) for name in sorted(values, key=names.__getitem__)
    )
    return b'II*\0' + struct.pack('<IH', 8, len(values)) + entries + struct.pack('<I', following) + data


def spread(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of a type that reach from 0 to 256 x 256 levels, and the pixels they must become."""
    values = PICTURE.astype(np.int64)
    values[:2], values[-2:] = 0, 256  # 2% each, so that the percentiles are the ends
    pixels = values.clip(0, 255).astype(np.uint8)
    scale = 1 if dtype in ('int8', 'float16') else _INTEGERS
    values = values // 2 - 64 if dtype == 'int8' else values * scale
    if dtype in ('uint16', 'int16'):
        values = values.clip(0, 65_535) if dtype == 'uint16' else (values - 32_768).clip(-32_768, 32_767)
    return values.astype(dtype), pixels


def with_missing(*missing: float) -> tuple[bytes, np.ndarray]:
    """Floats of which rows in the middle are no numbers, which must be black."""
    values, pixels = spread('float32')
    pixels = pixels.copy()
    for row, value in zip(range(20, 30), missing * 10, strict=False):
        values[row], pixels[row] = value, 0
    return tiff(values), pixels


def bilevel(compression: str) -> bytes:
    """One bit a pixel, as scanners and masks have it."""
    return saved(Image.fromarray(PICTURE[..., 0] > 100), 'TIFF', compression=compression)


def palette() -> np.ndarray:
    """A palette of as many greens as there are levels."""
    return np.stack([np.zeros(256), np.arange(256), np.full(256, 9)]).astype(np.uint16)


def chain(*following: int) -> bytes:
    """Two pages, the last of which is followed by the page of the given number."""
    data = bytearray(pages(PICTURE[..., 0], PICTURE[..., 1]))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        places = [page.offset for page in file.pages]
    tags = struct.unpack_from('<H', data, places[1])[0]
    struct.pack_into('<I', data, places[1] + 2 + 12 * tags, places[following[0]])
    return bytes(data)


def tiffs() -> Iterator[File]:
    """Kinds of TIFF."""
    two = np.repeat((PICTURE[..., :1] > 100) * np.uint8(255), 3, 2)
    five = picture(5)
    greens = np.stack([np.zeros_like(PICTURE[..., 0]), PICTURE[..., 0], np.full_like(PICTURE[..., 0], 9)], 2)
    wide = np.tile(PICTURE[:3], (1, 625, 1))
    for name, data, pixels in (
        ('strips', lambda: tiff(rowsperstrip=5), PICTURE),
        ('tiles', lambda: tiff(tile=(32, 16)), PICTURE),
        ('planes', lambda: tiff(np.moveaxis(PICTURE, 2, 0), planarconfig='separate', photometric='rgb'), PICTURE),
        ('big-endian', lambda: tiff(byteorder='>'), PICTURE),
        ('bigtiff', lambda: tiff(bigtiff=True), PICTURE),
        ('bigtiff big-endian', lambda: tiff(bigtiff=True, byteorder='>'), PICTURE),
        ('lzw', lambda: tiff(compression='lzw', predictor=True), PICTURE),
        ('deflate', lambda: tiff(compression='zlib', predictor=True), PICTURE),
        ('packbits', lambda: tiff(compression='packbits'), PICTURE),
        ('zstd', lambda: tiff(compression='zstd'), PICTURE),
        ('lzma', lambda: tiff(compression='lzma'), PICTURE),
        ('two pages', lambda: pages(PICTURE, BLACK), PICTURE),
        ('a band a page', lambda: pages(*np.moveaxis(PICTURE, 2, 0)), PICTURE),
        ('grey', lambda: tiff(PICTURE[..., 0]), GREY),
        ('grey inverted', lambda: tiff(~PICTURE[..., 0], photometric='miniswhite'), GREY),
        ('one bit', lambda: bilevel('raw'), two),
        ('one bit of fax 3', lambda: bilevel('group3'), two),
        ('one bit of fax 4', lambda: bilevel('group4'), two),
        ('palette', lambda: tiff(PICTURE[..., 0], photometric='palette', colormap=palette() * 257), greens),
        ('palette of 8 bits', lambda: tiff(PICTURE[..., 0], photometric='palette', colormap=palette()), greens),
        ('alpha', lambda: tiff(picture(4), photometric='rgb', extrasamples=['unassalpha']), PICTURE),
        ('4 bands', lambda: tiff(picture(4), planarconfig='contig'), PICTURE),
        ('5 bands', lambda: tiff(five, planarconfig='contig'), PICTURE),
        ('5 bands in planes', lambda: tiff(np.moveaxis(five, 2, 0), planarconfig='separate'), PICTURE),
        *(
            (dtype, lambda d=dtype: tiff(spread(d)[0]), spread(dtype)[1])
            for dtype in ('uint16', 'int16', 'uint32', 'int32', 'int64', 'float16', 'float32', 'float64')
        ),
        ('float with nan', lambda: with_missing(np.nan)[0], with_missing(np.nan)[1]),
        ('float with inf', lambda: with_missing(np.inf, -np.inf)[0], with_missing(np.inf, -np.inf)[1]),
        ('float of nan alone', lambda: tiff(np.full(PICTURE.shape, np.nan, np.float32)), BLACK),
        ('float of one value', lambda: tiff(np.full(PICTURE.shape, 0.5, np.float32)), BLACK),
        ('turned by its tag', lambda: tiff(extratags=[(274, 3, 1, 6, True)]), PICTURE),
        ('40,000 pixels wide', lambda: tiff(wide), wide),
        ('one pixel', lambda: tiff(PICTURE[:1, :1]), PICTURE[:1, :1]),
        ('one row', lambda: tiff(PICTURE[:1]), PICTURE[:1]),
        ('without byte counts', lambda: raw(count=None), GREY),
        ('garbage after its end', lambda: tiff() + bytes(range(256)) * 40, PICTURE),
        ('without pixels of a sparse file', lambda: raw(b'', count=0, offset=0), BLACK),
    ):
        yield File(f'tiff {name}', '.tif', data, pixels)
    yield File('tiff jpeg', '.tif', lambda: tiff(compression='jpeg', compressionargs={'level': 95}), PICTURE, '', 2)
    yield File('tiff webp', '.tif', lambda: tiff(compression='webp', compressionargs={'level': 95}), PICTURE, '', 4)
    yield File(
        'tiff jpeg 2000', '.tif', lambda: tiff(compression='jpeg2000', compressionargs={'level': 50}), PICTURE, '', 2
    )
    yield from _skipped()


def _skipped() -> Iterator[File]:
    inks = np.dstack([255 - PICTURE, BLACK[..., :1]])
    sparse = dict(data=b'', count=0, offset=0, width=30_000, height=30_000, bits=64, kind=3)
    inflated = zlib.compress(bytes(50_000_000))
    for name, data, reason in (
        ('cut in its header', lambda: tiff()[:6], ''),
        ('cut in its tags', lambda: tiff()[:60], ''),
        ('cut in its pixels', lambda: tiff()[: len(tiff()) // 2], 'truncated'),
        ('lzw cut', lambda: tiff(compression='lzw')[:5000], 'truncated'),
        ('tiles cut', lambda: tiff(tile=(16, 16))[:5000], 'truncated'),
        ('tags after pixels cut', lambda: saved(PICTURE, 'TIFF', compression='tiff_lzw')[:-20], ''),
        ('without pages', lambda: b'II*\0' + bytes(4), 'no page'),
        ('page beyond its end', lambda: b'II*\0' + struct.pack('<I', 10**6), 'no page'),
        ('page that follows itself', lambda: raw(following=8), 'leads back into itself'),
        ('pages in a circle', lambda: chain(0), 'leads back into itself'),
        ('2 bands', lambda: tiff(picture(2), planarconfig='contig'), 'it has 2 bands'),
        ('complex numbers', lambda: tiff(PICTURE.astype(np.complex64), photometric='minisblack'), 'complex64'),
        ('cmyk', lambda: tiff(inks, photometric='separated'), 'SEPARATED'),
        ('cielab', lambda: tiff(PICTURE, photometric='cielab'), 'CIELAB'),
        ('volume', lambda: tiff(np.zeros((16, 16, 16), np.uint8), volumetric=True, tile=(16, 16, 16)), 'no picture'),
        ('unknown compression', lambda: raw(compression=12_345), ''),
        ('damaged deflate', lambda: raw(b'\x55' * 500, compression=8), ''),
        ('strips of 0 rows', lambda: raw(rows=0), 'rowsperstrip=0'),
        ('wrong number of strips', lambda: raw(rows=7), 'segments'),
        ('strip beyond its end', lambda: raw(offset=10**8), 'truncated'),
        ('strip too short', lambda: raw(b'short'), ''),
        ('strip of another size', lambda: raw(zlib.compress(bytes(9)), compression=8), ''),
        ('width 0', lambda: raw(width=0), 'no picture'),
        ('bands without end', lambda: raw(bands=65_535), ''),
        ('samples of 7 bits', lambda: raw(bits=7, kind=3), ''),
        ('bomb of width', lambda: raw(width=2**31 - 1, height=2**31 - 1, rows=2**31 - 1), 'more than max_pixels'),
        ('bomb of a sparse file', lambda: raw(**sparse, rows=30_000), 'bytes of memory'),
        ('bomb of deflate', lambda: raw(inflated, compression=8), ''),
        ('bomb of zstd', lambda: raw(imagecodecs.zstd_encode(bytes(50_000_000)), compression=50_000), ''),
    ):
        yield File(f'tiff {name}', '.tif', data, None, reason)
