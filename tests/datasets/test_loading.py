"""Files of every kind become RGB pixels, or say in one sentence why not."""

import io
import pickle
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cmid_mm.datasets.decoding import BandError, UnreadableImageError
from cmid_mm.datasets.transforms.loading import LoadAerialImage


def load(path: Path, **kwargs) -> dict:
    return LoadAerialImage(**{'crop_size': 0, **kwargs})({'img_path': str(path)})


def picture(height: int = 96, width: int = 128, bands: int = 3) -> np.ndarray:
    """Smooth colours with some noise, so that formats compress it and errors show."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / (7 + b)) + np.cos(columns / (11 + b)) for b in range(bands)]
    noise = np.random.default_rng(0).normal(0, 0.1, (height, width, bands))
    return ((np.stack(waves, 2) + noise + 3) * 40).clip(0, 255).astype(np.uint8)


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    if kind.startswith('tiff'):
        compression = {'tiff': None}.get(kind, kind[5:])
        tifffile.imwrite(out, picture(), compression=compression, rowsperstrip=16, photometric='rgb')
    else:
        Image.fromarray(picture()).save(out, kind)
    return out.getvalue()


KINDS = ('jpeg', 'png', 'tiff', 'tiff_zlib', 'tiff_lzw', 'tiff_jpeg')


# ---- real files


def test_jpeg_matches_pillow(data_root: Path) -> None:
    path = sorted((data_root / 'ucmerced' / 'beach').glob('*.jpg'))[0]
    results = load(path, crop_size=224)
    expected = np.asarray(Image.open(path).convert('RGB'))
    assert np.array_equal(results['img'], expected)
    assert results['img'].flags.writeable
    assert results['ori_shape'] == expected.shape[:2]
    assert results['scale_factor'] == (1.0, 1.0)
    assert results['img_path'] == str(path)


def test_rgba_png_drops_alpha(data_root: Path) -> None:
    path = data_root / 'unlabelled' / 'mmrotate_P0004_crop_rgba.png'
    assert np.array_equal(load(path)['img'], np.asarray(Image.open(path))[..., :3])


def test_potsdam_infrared_as_a_band(data_root: Path) -> None:
    path = next((data_root / 'potsdam' / 'raw' / '4_Ortho_RGBIR').glob('*.tif'))
    raw = tifffile.imread(path)
    assert np.array_equal(load(path)['img'], raw[..., :3])
    assert np.array_equal(load(path, bands=(3, 0, 1))['img'], raw[..., [3, 0, 1]])


@pytest.mark.parametrize('name', ['s2_20181013_8band_a.tif', 'torchsat_8band_uint8.tif'])
def test_eight_bands(data_root: Path, name: str) -> None:
    path = data_root / 'geo' / name
    raw = tifffile.imread(path)
    raw = np.moveaxis(raw, 0, 2) if raw.shape[0] == 8 else raw
    assert np.array_equal(load(path)['img'], raw[..., :3])
    assert np.array_equal(load(path, bands=(7, 3, 1))['img'], raw[..., [7, 3, 1]])
    assert np.array_equal(load(path, bands=[5])['img'], raw[..., [5, 5, 5]])


def test_sixteen_bits_are_stretched_between_percentiles(data_root: Path) -> None:
    path = data_root / 'geo' / 'torchsat_rgb_uint16.tif'
    raw = tifffile.imread(path)
    image = load(path)['img']
    for band in range(3):
        low, high = np.percentile(raw[..., band], (2, 98))
        below, above = raw[..., band] < low, raw[..., band] > high
        assert (image[..., band][below] == 0).all()
        assert (image[..., band][above] == 255).all()
        middle = (raw[..., band] - low) / (high - low) * 255
        inside = ~below & ~above
        assert np.abs(image[..., band][inside] - middle[inside]).max() <= 1.01


def test_nodata_of_a_signed_image_is_black_and_does_not_stretch(data_root: Path) -> None:
    path = data_root / 'geo' / 'landsat7_LE70220491999322EDC01_stack.tif'
    raw = tifffile.imread(path)
    assert raw.dtype == np.int16
    image = load(path, bands=(3, 2, 1))['img']
    missing = raw[..., 3] == -9999
    assert (image[..., 0][missing] == 0).all()
    # With nodata among the percentiles all real values would share a few bright levels.
    assert image[..., 0][~missing].std() > 30


def test_value_range_is_linear_and_clips(data_root: Path) -> None:
    path = data_root / 'geo' / 'torchsat_rgb_uint16.tif'
    raw = tifffile.imread(path).astype(np.float64)
    image = load(path, value_range=(100, 1000))['img']
    expected = np.clip((raw - 100) / 900 * 256, 0, 255).astype(np.uint8)
    assert np.array_equal(image, expected)


def test_missing_band_is_an_error_that_names_file_and_bands(data_root: Path) -> None:
    path = data_root / 'geo' / 'torchsat_rgb_uint16.tif'
    with pytest.raises(BandError, match=r'torchsat_rgb_uint16\.tif.*\(0, 1, 7\).*0 to 2'):
        load(path, bands=(0, 1, 7))


# ---- every kind of file


@pytest.mark.parametrize('kind', KINDS)
def test_formats(tmp_path: Path, kind: str) -> None:
    path = tmp_path / 'wrong_suffix.dat'  # the content decides, not the name
    path.write_bytes(encoded(kind))
    image = load(path)['img'].astype(int)
    error = np.abs(image - picture()).mean()
    assert error < 6 if 'jpeg' in kind else error == 0


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGBA', 'I;16'])
def test_png_modes(tmp_path: Path, mode: str) -> None:
    path = tmp_path / 'image.png'
    source = Image.fromarray(picture())
    if mode == 'I;16':
        grey = picture()[..., 0].astype(np.uint16) * 200
        Image.fromarray(grey).save(path)
        image = load(path, value_range=(0, 51200))['img']
        assert np.abs(image[..., 0] - picture()[..., 0].astype(int)).max() <= 1
    else:
        source.convert(mode).save(path)
        image = load(path)['img']
        grey_mode = mode in ('1', 'L', 'LA')
        expected = source.convert(mode).convert('L' if grey_mode else 'RGB').convert('RGB')
        assert np.array_equal(image, np.asarray(expected))
    if mode != 'RGBA' and mode != 'P':
        assert (image[..., 0] == image[..., 2]).all()


def test_sixteen_bit_colour_png_keeps_its_low_byte(tmp_path: Path) -> None:
    path = tmp_path / 'image.png'
    dark = picture().astype(np.uint16)  # all values below 256: the high byte is empty
    path.write_bytes(imagecodecs.png_encode(dark))
    assert np.array_equal(load(path, value_range=(0, 256))['img'], picture())


@pytest.mark.parametrize('byteorder', ['<', '>'])
@pytest.mark.parametrize('planar', ['contig', 'separate'])
@pytest.mark.parametrize('tile', [None, (32, 48)])
@pytest.mark.parametrize('dtype', ['uint16', 'int16', 'float32'])
def test_tiff_layouts(tmp_path: Path, byteorder: str, planar: str, tile: tuple | None, dtype: str) -> None:
    raw = picture(70, 90, 5).astype(dtype) * 7
    path = tmp_path / 'image.tif'
    tifffile.imwrite(
        path,
        raw if planar == 'contig' else np.moveaxis(raw, 2, 0),
        planarconfig=planar,
        photometric='minisblack',
        byteorder=byteorder,
        tile=tile,
        rowsperstrip=None if tile else 13,
        compression='zlib',
    )
    image = load(path, bands=(4, 0, 2), value_range=(0, 256 * 7))['img']
    assert np.array_equal(image, picture(70, 90, 5)[..., [4, 0, 2]])


def test_tiff_bands_on_pages(tmp_path: Path) -> None:
    path = tmp_path / 'image.tif'
    raw = np.moveaxis(picture(bands=4), 2, 0)
    tifffile.imwrite(path, raw, photometric='minisblack', planarconfig=None, metadata=None)
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.pages) == 4
    assert np.array_equal(load(path, bands=(3, 1, 0))['img'], picture(bands=4)[..., [3, 1, 0]])


def test_two_bands_ask_for_a_choice(tmp_path: Path) -> None:
    path = tmp_path / 'sar.tif'
    tifffile.imwrite(path, picture(bands=2), photometric='minisblack', planarconfig='contig')
    with pytest.raises(BandError, match=r'sar\.tif: it has 2 bands'):
        load(path)
    assert np.array_equal(load(path, bands=(0, 1, 1))['img'], picture(bands=2)[..., [0, 1, 1]])


def test_not_a_number_is_black(tmp_path: Path) -> None:
    raw = np.linspace(0, 1, 64 * 64 * 3, dtype=np.float32).reshape(64, 64, 3)
    raw[:8] = np.nan
    raw[8:16] = np.inf
    tifffile.imwrite(tmp_path / 'a.tif', raw, photometric='rgb')
    image = load(tmp_path / 'a.tif')['img']
    assert (image[:16] == 0).all()
    assert image[-8:].min() > 200


def test_flat_band_is_black(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / 'a.tif', np.full((64, 64, 3), 900, np.uint16), photometric='rgb')
    assert not load(tmp_path / 'a.tif')['img'].any()


# ---- reduced scale


@given(
    height=st.integers(64, 30_000),
    width=st.integers(64, 30_000),
    crop=st.integers(32, 512),
    area=st.floats(0.05, 1),
)
def test_reduction_never_makes_a_crop_too_small(height: int, width: int, crop: int, area: float) -> None:
    """Checked against the crops themselves, as torchvision and mmpretrain draw them."""
    factor = LoadAerialImage(crop_size=crop, min_area=area).reduction(height, width)
    assert factor & (factor - 1) == 0
    if factor == 1:
        return
    sides = [min(height, width)]  # the crop of an image too long for any drawn one
    for ratio in (3 / 4, 1, 4 / 3):
        sides += [(area * height * width * ratio) ** 0.5, (area * height * width / ratio) ** 0.5]
    assert min(sides) / factor >= crop * (1 - 1e-9)
    assert min(sides) / factor < 2 * crop  # and no smaller reduction than allowed


@pytest.mark.parametrize('kind', ['jpeg', 'png', 'tiff'])
def test_reduced_images_average_the_whole(tmp_path: Path, kind: str) -> None:
    smooth = np.asarray(Image.fromarray(picture(60, 80)).resize((1001, 801), Image.BICUBIC))
    path = tmp_path / 'image'
    Image.fromarray(smooth).save(path, kind)
    whole = load(path)['img']
    results = load(path, crop_size=64)  # smallest side 425, so 1/4
    assert results['img'].shape == (201, 251, 3)
    assert results['ori_shape'] == (801, 1001)
    assert results['scale_factor'] == (251 / 1001, 201 / 801)
    blocks = whole[:800, :1000].reshape(200, 4, 250, 4, 3).mean((1, 3))
    assert np.abs(results['img'][:200, :250] - blocks).mean() < 1


def test_tiff_overview_is_used(tmp_path: Path) -> None:
    path = tmp_path / 'image.tif'
    levels = [np.full((1024 // s, 1024 // s, 3), s, np.uint8) for s in (1, 2, 4, 8)]
    with tifffile.TiffWriter(path) as tiff:
        for level, pixels in enumerate(levels):
            tiff.write(pixels, photometric='rgb', subfiletype=int(level > 0), tile=(64, 64))
    for crop, scale in ((400, 1), (200, 2), (128, 4), (60, 8), (30, 16)):
        image = load(path, crop_size=crop, min_area=1, max_ratio=2)['img']
        assert image.shape == (1024 // scale, 1024 // scale, 3)
        assert (image == min(scale, 8)).all()


@pytest.mark.slow
def test_large_jpeg_is_decoded_small(tmp_path: Path) -> None:
    path = tmp_path / 'large.jpg'
    side = 12_000
    tile = Image.fromarray(picture(600, 600))
    image = Image.new('RGB', (side, side))
    for left in range(0, side, 600):
        for top in range(0, side, 600):
            image.paste(tile, (left, top))
    image.save(path, quality=85)
    assert load(path, crop_size=224)['img'].shape == (side // 16, side // 16, 3)
    assert load(path, crop_size=600)['img'].shape == (side // 8, side // 8, 3)


@pytest.mark.slow
def test_legal_giant_passes_and_the_limit_of_pillow_stays(tmp_path: Path) -> None:
    path = tmp_path / 'giant.png'
    Image.new('L', (30_000, 30_000), 77).save(path, compress_level=1)
    limit = Image.MAX_IMAGE_PIXELS
    image = load(path, crop_size=224)['img']
    assert image.shape == (938, 938, 3)
    assert (image == 77).all()
    assert limit == Image.MAX_IMAGE_PIXELS
    with pytest.raises(UnreadableImageError, match='max_pixels=1000000'):
        load(path, max_pixels=1_000_000)


# ---- damaged files


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('share', [0.001, 0.02, 0.3, 0.7, 0.97])
def test_truncated_files_are_unreadable(tmp_path: Path, kind: str, share: float) -> None:
    data = encoded(kind)
    path = tmp_path / 'cut'
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableImageError) as caught:
        load(path)
    assert caught.value.path == str(path)
    assert caught.value.reason
    assert '\n' not in caught.value.reason


@pytest.mark.parametrize(
    ('content', 'reason'), [(b'', 'empty'), (b'see the readme\n', 'neither JPEG nor PNG nor TIFF')]
)
def test_files_that_are_no_image(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / 'image.jpg'
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=reason):
        load(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match='No such file'):
        load(tmp_path / 'gone.jpg')


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_flipped_bytes_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(encoded(kind))
    # Most bytes that steer a decoder are near the start or the end.
    near = st.one_of(st.integers(0, 300), st.integers(-300, -1), st.integers(0, len(content) - 1))
    for position in data.draw(st.lists(near, min_size=1, max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp('flip') / 'image'
    path.write_bytes(content)
    with suppress(UnreadableImageError, BandError):
        assert load(path, max_pixels=2**22)['img'].dtype == np.uint8


def test_error_survives_a_worker_boundary() -> None:
    error = pickle.loads(pickle.dumps(UnreadableImageError('/a/b.jpg', 'cut')))
    assert (error.path, error.reason) == ('/a/b.jpg', 'cut')


@pytest.mark.parametrize(
    'kwargs',
    [
        {'crop_size': -1},
        {'min_area': 0},
        {'max_ratio': 0.5},
        {'bands': (0, 1)},
        {'bands': (0, 1, -1)},
        {'value_range': (5, 5)},
    ],
)
def test_senseless_arguments_are_refused_by_name(kwargs: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        LoadAerialImage(**kwargs)
