"""TIFF files: any number of bands, any depth, overviews, and no more memory than the bands need."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC, PLANARCONFIG, TiffFile, TiffPage

_GDAL_NODATA = 42113
_JPEG = (COMPRESSION.OJPEG, COMPRESSION.JPEG)  # their decoder turns YCbCr into RGB
_COLOURS = (
    PHOTOMETRIC.MINISWHITE,
    PHOTOMETRIC.MINISBLACK,
    PHOTOMETRIC.RGB,
    PHOTOMETRIC.PALETTE,
)
_ALPHA = (1, 2)  # ExtraSamples: associated and unassociated alpha


def read_tiff(
    file: BinaryIO,
    reduction: Callable[[int, int], int],
    choose: Callable[[int, bool], list[int]],
    check_memory: Callable[[int], None],
) -> tuple[np.ndarray, float | None, int, tuple[int, int]]:
    """Read three bands of the first image of a file, from its smallest sufficient overview.

    Args:
        file (BinaryIO): The open file.
        reduction (Callable): ``(height, width) -> factor`` by which a side may be reduced.
        choose (Callable): ``(number of bands, last is alpha) -> three band indices``.
        check_memory (Callable): Called with the bytes that pixels will take; raises if they are too many.

    Returns:
        tuple: Pixels (H', W', 3) of the file's own type, the value that marks missing pixels (or
        None), the factor by which they may still be reduced, the size of the image (H, W).

    Raises:
        Exception: Whatever tifffile and imagecodecs raise on damaged bytes; ``ValueError`` if the
            file is cut short or holds something else than a picture.
    """
    file.seek(0, 2)
    length = file.tell()
    file.seek(0)
    with TiffFile(file) as tiff:
        page = next(_pages(tiff), None)
        if page is None:
            raise ValueError('it has no page')
        size = (page.imagelength, page.imagewidth)
        if page.imagedepth != 1 or min(size) < 1:
            raise ValueError(f'its first page has the shape {page.shape}, which is no picture')
        factor = reduction(*size)
        planes = _planes(tiff)
        if len(planes) > 1:
            _check_size(page, check_memory)
            chosen = choose(len(planes), False)
            bands = {band: _read_bands(planes[band], [0], length) for band in set(chosen)}
            pixels = np.concatenate([bands[band] for band in chosen], axis=2)
        else:
            page, factor = _overview(tiff, page, factor)
            _check_size(page, check_memory)
            pixels = _read_page(page, choose, length)
        return pixels, _nodata(tiff.pages[0].aspage()), factor, size


def _check_size(page: TiffPage, check_memory: Callable[[int], None]) -> None:
    """Few bytes can declare many pixels: a sparse file has none of them, and a tile may be larger than its image."""
    if page.dtype is None:
        raise ValueError(f'its samples of {page.bitspersample} bits are of no known type')
    largest = max(3 * page.imagelength * page.imagewidth, math.prod(page.chunks))
    check_memory(largest * page.dtype.itemsize)


def _read_page(page: TiffPage, choose: Callable[[int, bool], list[int]], length: int) -> np.ndarray:
    """Three bands of a page that holds all of them."""
    kind, packed = page.photometric, page.compression in _JPEG
    if kind not in _COLOURS and not (kind == PHOTOMETRIC.YCBCR and packed):
        raise ValueError(f'its colours are stored as {kind!r}, which is not supported')
    if kind == PHOTOMETRIC.PALETTE:
        table = np.asarray(page.colormap)
        # As libtiff does: some programs write 8-bit palettes into the 16 bits of an entry.
        table = (table >> 8 if table.max() > 255 else table).astype(np.uint8).T
        return table[_read_bands(page, [0], length)[..., 0]][..., choose(3, False)]
    extra = [int(sample) for sample in page.extrasamples]
    alpha = page.samplesperpixel in (2, 4) and len(extra) == 1 and extra[0] in _ALPHA
    pixels = _read_bands(page, choose(page.samplesperpixel, alpha), length)
    return ~pixels if kind == PHOTOMETRIC.MINISWHITE and pixels.dtype.kind in 'ub' else pixels


def _overview(tiff: TiffFile, page: TiffPage, factor: int) -> tuple[TiffPage, int]:
    """The smallest reduced copy of ``page`` that is at least 1 / factor of it, as GDAL adds them."""
    if factor == 1:
        return page, factor
    candidates = [other for other in _pages(tiff) if other.offset != page.offset]
    candidates += [other.aspage() for other in page.pages or ()]
    best = page
    best_scale = 1
    for other in candidates:
        if not other.is_reduced or other.is_mask or other.dtype != page.dtype:
            continue
        if other.samplesperpixel != page.samplesperpixel or other.imagewidth < 1:
            continue
        scale = round(page.imagewidth / other.imagewidth)
        same_form = other.imagelength in (page.imagelength // scale, -(-page.imagelength // scale))
        if same_form and best_scale < scale <= factor and factor % scale == 0:
            best, best_scale = other, scale
    return best, factor // best_scale


def _planes(tiff: TiffFile) -> list[TiffPage]:
    """The pages that hold one band each, in files that keep their bands that way."""
    first = tiff.pages[0].aspage()
    if first.samplesperpixel != 1 or first.photometric == PHOTOMETRIC.PALETTE:
        return [first]
    pages = [page for page in _pages(tiff) if not page.is_reduced and not page.is_mask]
    same = all(page.shape == first.shape and page.dtype == first.dtype for page in pages)
    return pages if same else [first]


def _pages(tiff: TiffFile) -> Iterator[TiffPage]:
    """All pages in order; tifffile would follow a chain that leads back into itself for hours."""
    seen = set()
    for number in itertools.count():
        try:
            page = tiff.pages[number].aspage()
        except IndexError:
            return
        if page.offset in seen:
            raise ValueError('the chain of its pages leads back into itself')
        seen.add(page.offset)
        yield page


def _read_bands(page: TiffPage, bands: list[int], length: int) -> np.ndarray:
    """Decode strip by strip or tile by tile and keep only ``bands``: (H, W, len(bands))."""
    _check_complete(page, length)
    height, width = page.imagelength, page.imagewidth
    pixels = np.zeros((height, width, len(bands)), page.dtype)
    if 0 in page.databytecounts:  # legal: a sparse file of GDAL leaves empty segments out
        pixels[:] = page.nodata
    count = len(page.dataoffsets)
    separate = page.planarconfig == PLANARCONFIG.SEPARATE and page.samplesperpixel > 1
    per_band = count // page.samplesperpixel if separate else count
    indices = [i for i in range(count) if not separate or i // per_band in bands]
    offsets = [page.dataoffsets[i] for i in indices]
    counts = [page.databytecounts[i] for i in indices]
    for data, index in page.parent.filehandle.read_segments(offsets, counts, indices, sort=True):
        if data is None:
            continue
        segment, place, _ = page.decode(data, index, jpegtables=page.jpegtables)
        plane, _, top, left, _ = place
        block = segment[0, : height - top, : width - left]  # tiles stand out over the edges
        rows = slice(top, top + block.shape[0])
        columns = slice(left, left + block.shape[1])
        for position, band in enumerate(bands):
            if not separate:
                pixels[rows, columns, position] = block[..., band]
            elif band == plane:
                pixels[rows, columns, position] = block[..., 0]
    return pixels


def _check_complete(page: TiffPage, length: int) -> None:
    """A JPEG or LZW strip that is cut short decodes without complaint, so count the bytes."""
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    expected = math.prod(page.chunked)
    if len(segments) != expected:
        raise ValueError(f'it lists {len(segments)} of the {expected} segments of its image')
    end = max(offset + count for offset, count in segments)
    if end > length:
        raise ValueError(f'the file is truncated: {length} of at least {end} bytes are there')


def _nodata(page: TiffPage) -> float | None:
    tag = page.tags.get(_GDAL_NODATA)
    return None if tag is None else float(str(tag.value).strip('\0 '))
