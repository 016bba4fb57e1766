"""Change pairs: whole, of one size, labels of two values."""

import cv2
import numpy as np
import pytest
from mmengine.registry import init_default_scope

import cmid_mm.with_mmseg  # noqa: F401  registers what the config of CDD uses
from cmid_mm.datasets.change import ChangeDataset
from cmid_mm.datasets.decoding import UnreadableImageError
from cmid_mm.datasets.preparation import PreparationError, prepare_change_pairs


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'data' / 'cdd'


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_cdd_to_what_the_dataset_reads(cdd, out, pack):
    init_default_scope('mmseg')
    outcome = prepare_change_pairs([pack(cdd.parent, 'cdd.zip')], out, workers=2)
    assert outcome.written == 6
    assert '6 labels are JPEG files, whose soft values were cut at 128' in str(outcome)
    for split in ('train', 'val', 'test'):
        source = cdd / 'Real/subset' / split
        dataset = ChangeDataset(data_root=str(out / split), pipeline=[])
        assert len(dataset) == 2
        for index in range(2):
            info = dataset.get_data_info(index)
            name = f'{index:05d}'
            for key, part in (('img_path', 'A'), ('img_path2', 'B')):
                assert info[key] == str(out / split / part / f'{name}.jpg')
                assert (out / split / part / f'{name}.jpg').read_bytes() == (source / part / f'{name}.jpg').read_bytes()
            mask = read(info['seg_map_path'])
            assert set(np.unique(mask)) == {0, 1}
            assert np.array_equal(mask, read(source / 'OUT' / f'{name}.jpg') >= 128)


def test_only_real_pairs_are_taken(cdd, tmp_path):
    prepare_change_pairs([cdd], tmp_path / 'a')
    prepare_change_pairs([cdd / 'Real/subset'], tmp_path / 'b')
    for path in (tmp_path / 'a').rglob('*.*'):
        assert path.read_bytes() == (tmp_path / 'b' / path.relative_to(tmp_path / 'a')).read_bytes()
    (cdd / 'Real').rename(cdd / 'Other')
    (cdd / 'Other' / 'subset').rename(cdd / 'Other' / 'part')
    with pytest.raises(PreparationError, match=r'several data sets \(ChangeDetectionDataset/Model/with_shift/'):
        prepare_change_pairs([cdd], tmp_path / 'c')


def test_a_second_run_does_nothing_and_an_interrupted_one_is_completed(cdd, out, contents, times):
    prepare_change_pairs([cdd], out)
    before, whole = times(out), contents(out)
    outcome = prepare_change_pairs([cdd], out)
    assert (outcome.written, outcome.kept) == (0, 6)
    assert times(out) == before
    (out / 'train/OUT/00000.png').unlink()
    (out / 'val/B/00001.jpg').unlink()
    (out / 'val/B/.00001.jpg.part').write_bytes(b'half')
    assert prepare_change_pairs([cdd], out).written == 2
    assert contents(out) == whole


def test_the_real_samples(data_root, tmp_path):
    for name, count in (('levir_cd', 8), ('dsifn', 7)):
        outcome = prepare_change_pairs([data_root / name], tmp_path / name)
        assert outcome.written == count
        assert 'JPEG' not in str(outcome)
        for path in (data_root / name).glob('*/OUT/*'):
            mask = read(tmp_path / name / path.relative_to(data_root / name))
            assert np.array_equal(mask * 255, read(path))


@pytest.mark.parametrize('high', [1, 255])
def test_labels_of_levir_cd_in_their_own_folder(tmp_path, out, high):
    for split in ('train', 'val', 'test'):
        for part in ('A', 'B', 'label'):
            (tmp_path / split / part).mkdir(parents=True)
            picture = np.eye(8, dtype=np.uint8) * high if part == 'label' else np.full((8, 8, 3), 7, np.uint8)
            cv2.imwrite(str(tmp_path / split / part / 'x.png'), picture)
    prepare_change_pairs([tmp_path / split for split in ('train', 'val', 'test')], out)
    assert np.array_equal(read(out / 'val/OUT/x.png'), np.eye(8))


def test_errors_name_the_file_and_nothing_is_written(cdd, out, tmp_path):
    subset = cdd / 'Real/subset'
    label, second = subset / 'train/OUT/00001.jpg', subset / 'train/B/00001.jpg'
    good_label, good_second = label.read_bytes(), second.read_bytes()

    def refused(kind, message):
        with pytest.raises(kind, match=message):
            prepare_change_pairs([cdd], out, workers=2)
        assert not out.exists()

    cv2.imwrite(str(second), np.zeros((32, 30, 3), np.uint8))
    refused(PreparationError, r'train/B/00001\.jpg has 30 x 32 pixels and .*train/A/00001\.jpg 32 x 32')
    second.write_bytes(good_second[:300])
    refused(UnreadableImageError, r'train/B/00001\.jpg cannot be read')
    second.unlink()
    refused(PreparationError, r'train/A/00001\.jpg has no partner 00001 in train/B')
    second.write_bytes(good_second)
    cv2.imwrite(str(label), np.full((32, 32), 128, np.uint8))
    refused(PreparationError, r'train/OUT/00001\.jpg is grey in 100% of its pixels')
    label.unlink()
    values = np.zeros((32, 32), np.uint8)
    values[0, :2] = 255, 17
    cv2.imwrite(str(label.with_suffix('.png')), values)
    refused(PreparationError, r'train/OUT/00001\.png has pixels of the values 17, not only 0 and 255')
    cv2.imwrite(str(label.with_suffix('.png')), np.full((32, 32, 3), (255, 0, 0), np.uint8))
    refused(PreparationError, r'train/OUT/00001\.png is a picture in colour')
    label.with_suffix('.png').unlink()
    refused(PreparationError, r'train/A/00001\.jpg has no partner 00001 in train/OUT')
    label.write_bytes(good_label)
    (subset / 'val').rename(tmp_path / 'val')
    refused(PreparationError, 'has no val split')
    assert 'without the val split' in str(prepare_change_pairs([cdd], out, allow_missing=True))
    with pytest.raises(PreparationError, match=r'holds no {train,val,test}'):
        prepare_change_pairs([tmp_path / 'val' / 'A'], out)
