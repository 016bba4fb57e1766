"""ISPRS scenes to tiles: no pixel and no label lost, the published split, one error a fault."""

import ast
from pathlib import Path

import cv2
import mmseg
import numpy as np
import pytest
import tifffile
from mmengine.registry import init_default_scope
from mmseg.datasets import ISPRSDataset, PotsdamDataset

import cmid_mm.with_mmseg  # noqa: F401  LoadLabelMap, by which the configs read masks
from cmid_mm.datasets import UnlabelledImages
from cmid_mm.datasets.decoding import UnreadableImageError
from cmid_mm.datasets.preparation import PreparationError, prepare_isprs
from cmid_mm.datasets.preparation.isprs_layout import LAYOUTS

SIZE = 16


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'data'


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def reassemble(folder: Path, tile: str, like: np.ndarray) -> np.ndarray:
    picture = np.full_like(like, 99)
    for path in folder.glob(f'{tile}_*.png'):
        x0, y0, x1, y1 = map(int, path.stem.split('_')[-4:])
        picture[y0:y1, x0:x1] = read(path)
    return picture


@pytest.mark.parametrize('name', LAYOUTS)
def test_the_split_is_that_of_mmsegmentation(name):
    source = Path(mmseg.__file__).parent / '.mim/tools/dataset_converters' / f'{name}.py'
    (splits,) = [
        ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == 'splits'
    ]
    assert {split: sorted(tiles) for split, tiles in splits.items()} == {
        split: sorted(tiles) for split, tiles in LAYOUTS[name].splits.items()
    }


@pytest.mark.parametrize(('name', 'kind'), [('potsdam', PotsdamDataset), ('vaihingen', ISPRSDataset)])
def test_every_pixel_and_label_comes_through(draw_isprs, out, name, kind):
    init_default_scope('mmseg')
    root, drawn = draw_isprs(name)
    outcome = prepare_isprs(name, [root], out, SIZE, stride=10)
    assert outcome.written == len(drawn)
    for split, tiles in LAYOUTS[name].splits.items():
        for tile in tiles:
            image, classes = drawn[tile]
            assert np.array_equal(reassemble(out / 'img_dir' / split, tile, image)[..., ::-1], image)
            assert np.array_equal(reassemble(out / 'ann_dir' / split, tile, classes), classes)
        dataset = kind(
            data_root=str(out),
            data_prefix=dict(img_path=f'img_dir/{split}', seg_map_path=f'ann_dir/{split}'),
            pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadLabelMap', num_classes=6)],
        )
        assert len(dataset) == len(tiles) * 2 * 3
        sample = dataset[0]
        assert sample['img'].shape == (SIZE, SIZE, 3)
        assert set(np.unique(sample['gt_seg_map'])) <= {0, 1, 2, 3, 4, 5, 255}


def test_archives_as_downloaded_give_the_same_files(draw_isprs, tmp_path, pack, contents):
    root, _ = draw_isprs('potsdam')
    prepare_isprs('potsdam', [root], tmp_path / 'a', SIZE, SIZE)
    archives = [pack(root / name) for name in ('2_Ortho_RGB', '5_Labels_all')]
    prepare_isprs('potsdam', archives, tmp_path / 'b', SIZE, SIZE, workers=2)
    assert contents(tmp_path / 'a') == contents(tmp_path / 'b')
    # The folder now holds archives beside what was unpacked from them.
    assert 'nothing to do' in str(prepare_isprs('potsdam', [root], tmp_path / 'a', SIZE, SIZE))


def test_vaihingen_takes_the_test_labels_from_their_own_archive(draw_isprs, tmp_path, pack, out):
    root, drawn = draw_isprs('vaihingen')
    complete = tmp_path / 'ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE'
    (root / 'gts_for_participants').rename(complete)
    (root / 'gts_for_participants').mkdir()
    for tile in LAYOUTS['vaihingen'].splits['train']:
        name = f'top_mosaic_09cm_{tile}.tif'
        (root / 'gts_for_participants' / name).write_bytes((complete / name).read_bytes())
    with pytest.raises(PreparationError, match=r'no label of the tiles area2, .*_ground_truth_COMPLETE\.zip'):
        prepare_isprs('vaihingen', [root], out, SIZE, SIZE)
    outcome = prepare_isprs('vaihingen', [root], tmp_path / 'part', SIZE, SIZE, allow_missing=True)
    assert outcome.written == 16
    assert 'no label of the tiles area2' in str(outcome)
    assert prepare_isprs('vaihingen', [root, pack(complete)], out, SIZE, SIZE).written == len(drawn)


def test_eroded_labels_are_ignored_at_boundaries(draw_isprs, out):
    root, drawn = draw_isprs('potsdam')
    folder = root / '5_Labels_all_noBoundary'
    folder.mkdir()
    for tile, (image, _) in drawn.items():
        label = np.full_like(image, 255)
        label[:, 3] = 0
        tifffile.imwrite(folder / f'top_potsdam_{tile}_label_noBoundary.tif', label, photometric='rgb')
    prepare_isprs('potsdam', [root], out, SIZE, SIZE, no_boundary=True)
    mask = read(out / 'ann_dir/train/2_10_0_0_16_16.png')
    assert mask[:, 3].max() == 0
    assert np.delete(mask, 3, axis=1).min() == np.delete(mask, 3, axis=1).max() == 1


def test_unlabelled_tiles_are_those_of_all_scenes(draw_isprs, out):
    root, drawn = draw_isprs('potsdam')
    outcome = prepare_isprs('potsdam', [root / '2_Ortho_RGB'], out, SIZE, SIZE, unlabelled=True)
    assert outcome.out == out / 'unlabelled'
    assert not (out / 'img_dir').exists()
    for tile, (image, _) in drawn.items():
        assert np.array_equal(reassemble(out / 'unlabelled', tile, image)[..., ::-1], image)
    assert len(UnlabelledImages(str(out / 'unlabelled'), cache=str(out / 'cache'))) == len(drawn) * 4
    assert 'nothing to do' in str(prepare_isprs('potsdam', [root], out, SIZE, SIZE, unlabelled=True))


def test_a_second_run_does_nothing_and_an_interrupted_one_is_completed(draw_isprs, out, contents, times):
    root, _ = draw_isprs('potsdam')
    prepare_isprs('potsdam', [root], out, SIZE, SIZE)
    before, whole = times(out), contents(out)
    outcome = prepare_isprs('potsdam', [root], out, SIZE, SIZE)
    assert (outcome.written, outcome.kept) == (0, 38)
    assert times(out) == before
    gone = [out / 'ann_dir/train/2_10_0_0_16_16.png', *out.glob('*/val/7_13_*.png')]
    for path in gone:
        path.unlink()
    (out / 'ann_dir/train/.2_10_0_0_16_16.png.part').write_bytes(b'half')
    assert prepare_isprs('potsdam', [root], out, SIZE, SIZE).written == 2
    assert contents(out) == whole
    after = times(out)
    assert all(after[path] == time for path, time in before.items() if path not in gone and path.suffix == '.png')


def test_other_settings_or_sources_are_not_mixed(draw_isprs, out):
    root, _ = draw_isprs('potsdam')
    prepare_isprs('potsdam', [root], out, SIZE, SIZE)
    with pytest.raises(PreparationError, match=r'prepared\.json says stride=16 where 8 is asked for'):
        prepare_isprs('potsdam', [root], out, SIZE, 8)
    tifffile.imwrite(root / '2_Ortho_RGB/top_potsdam_2_10_RGB.tif', np.zeros((40, 40, 3), np.uint8))
    with pytest.raises(PreparationError, match='2_10 was made from image_bytes='):
        prepare_isprs('potsdam', [root], out, SIZE, SIZE)
    (out / 'prepared.json').write_text('{"settings": {}')
    with pytest.raises(PreparationError, match=r'prepared\.json is damaged'):
        prepare_isprs('potsdam', [root], out, SIZE, SIZE)
    (out / 'prepared.json').unlink()
    with pytest.raises(PreparationError, match='img_dir holds files that this tool has not written'):
        prepare_isprs('potsdam', [root], out, SIZE, SIZE)


def test_unknown_colours_stop_with_file_colour_and_count(draw_isprs, out):
    root, drawn = draw_isprs('potsdam')
    path = root / '5_Labels_all' / 'top_potsdam_4_12_label.tif'
    label = tifffile.imread(path)
    label[5, 7:9] = (252, 255, 0)
    tifffile.imwrite(path, label, photometric='rgb')
    with pytest.raises(
        PreparationError, match=r'top_potsdam_4_12_label\.tif has 2 pixels of the colour \(252, 255, 0\)'
    ):
        prepare_isprs('potsdam', [root], out, SIZE, SIZE, workers=2)
    assert not out.exists()
    outcome = prepare_isprs('potsdam', [root], out, SIZE, SIZE, unknown_ignored=True)
    assert '4_12: 2 pixels of unknown colours are ignored' in str(outcome)
    _, classes = drawn['4_12']
    classes[5, 7:9] = 0
    assert np.array_equal(reassemble(out / 'ann_dir/train', '4_12', classes), classes)


def test_errors_name_the_file_and_nothing_is_written(draw_isprs, out):
    root, _ = draw_isprs('potsdam')
    label = root / '5_Labels_all' / 'top_potsdam_2_10_label.tif'
    image = root / '2_Ortho_RGB' / 'top_potsdam_2_10_RGB.tif'
    whole = image.read_bytes()

    def refused(kind: type, message: str, **settings) -> None:
        with pytest.raises(kind, match=message):
            prepare_isprs('potsdam', [root], out, **{'size': SIZE, 'stride': SIZE, **settings})
        assert not out.exists()

    refused(PreparationError, r'2_10_RGB\.tif has 29 x 24 pixels, less than a tile of 25', size=25)
    refused(PreparationError, 'no image of the tiles 2_10, .* and 33 more of potsdam', bands='IRRG')
    image.write_bytes(whole[:-200])
    refused(UnreadableImageError, r'2_10_RGB\.tif cannot be read as an image: the file is truncated')
    tifffile.imwrite(image, np.zeros((24, 29, 3), np.uint16), photometric='rgb')
    refused(PreparationError, r'2_10_RGB\.tif holds uint16')
    tifffile.imwrite(image, np.zeros((24, 29), np.uint8))
    refused(UnreadableImageError, r'2_10_RGB\.tif .* it has 1 band where three are needed')
    image.write_bytes(whole)
    tifffile.imwrite(label, np.zeros((20, 29, 3), np.uint8), photometric='rgb')
    refused(PreparationError, r'2_10_label\.tif has 29 x 20 pixels and .*2_10_RGB\.tif 29 x 24')
    label.unlink()
    refused(PreparationError, 'no label of the tiles 2_10 of potsdam .*5_Labels_all')


def test_the_real_crop(data_root, tmp_path, out):
    raw = data_root / 'potsdam' / 'raw'
    (tmp_path / 'raw').mkdir()
    for kind in ('RGBIR', 'label'):
        (source,) = raw.glob(f'*/top_potsdam_2_10_{kind}__36.tif')
        (tmp_path / 'raw' / f'top_potsdam_2_10_{kind}.tif').write_bytes(source.read_bytes())
    prepare_isprs('potsdam', [tmp_path / 'raw'], out, 100, 100, bands='RGBIR', allow_missing=True)
    image = tifffile.imread(tmp_path / 'raw' / 'top_potsdam_2_10_RGBIR.tif')[..., :3]
    assert np.array_equal(reassemble(out / 'img_dir/train', '2_10', image)[..., ::-1], image)
    mask = reassemble(out / 'ann_dir/train', '2_10', image[..., 0])
    assert [int((mask == value).sum()) for value in (1, 3, 4)] == [26613, 34083, 4840]
