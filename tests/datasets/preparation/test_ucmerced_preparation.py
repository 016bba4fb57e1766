"""UC Merced: every image with its label, and a split that stays."""

from collections import Counter

import pytest
from mmpretrain.datasets import CustomDataset

from cmid_mm.datasets.decoding import UnreadableImageError
from cmid_mm.datasets.preparation import PreparationError, prepare_ucmerced
from cmid_mm.datasets.preparation.ucmerced import CLASSES


def lines(out, name):
    return (out / f'{name}.txt').read_text().splitlines()


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'data' / 'ucmerced'


def test_archive_to_what_mmpretrain_reads(ucmerced, out, pack):
    outcome = prepare_ucmerced([pack(ucmerced)], out, allow_missing=True)
    assert outcome.written == 105
    assert 'not the official set: other than 100 images of agricultural (5)' in str(outcome)
    for name, count in (('train', 4), ('val', 1)):
        dataset = CustomDataset(
            data_root=str(out), ann_file=f'{name}.txt', pipeline=[dict(type='LoadImageFromFile')], lazy_init=False
        )
        labels = [dataset.get_data_info(index)['gt_label'] for index in range(len(dataset))]
        assert Counter(labels) == dict.fromkeys(range(21), count)
        for index in range(len(dataset)):
            info = dataset[index]
            assert info['img'].shape == (8, 8, 3)
            assert CLASSES[info['gt_label']] in info['img_path']
    held = set(lines(out, 'val'))
    assert held.isdisjoint(lines(out, 'train'))
    for line in held:
        name = line.split()[0]
        assert (out / name).read_bytes() == (ucmerced / 'Images' / name).read_bytes()


def test_the_split_is_that_of_the_seed(ucmerced, tmp_path):
    splits = []
    for name, seed, workers in (('a', 3, 1), ('b', 3, 2), ('c', 4, 1)):
        prepare_ucmerced([ucmerced], tmp_path / name, seed=seed, allow_missing=True, workers=workers)
        splits.append(lines(tmp_path / name, 'val'))
    assert splits[0] == splits[1] != splits[2]


def test_the_share_is_held_out_of_each_class(ucmerced, out):
    prepare_ucmerced([ucmerced], out, val_fraction=0.4, allow_missing=True)
    assert Counter(line.split()[1] for line in lines(out, 'val')) == {str(label): 2 for label in range(21)}


def test_a_second_run_changes_nothing(ucmerced, out, times):
    prepare_ucmerced([ucmerced], out, allow_missing=True)
    before = times(out)
    outcome = prepare_ucmerced([ucmerced], out, seed=5, allow_missing=True)
    assert (outcome.written, outcome.kept) == (0, 105)
    assert 'nothing to do' in str(outcome)
    assert 'kept the split that was there' in str(outcome)
    assert times(out) == before
    split = lines(out, 'val')
    outcome = prepare_ucmerced([ucmerced], out, seed=5, new_split=True, allow_missing=True)
    assert 'wrote the split of seed 5' in str(outcome)
    assert lines(out, 'val') != split


def test_an_interrupted_run_is_completed(ucmerced, out, contents):
    prepare_ucmerced([ucmerced], out, seed=2, allow_missing=True)
    whole = contents(out)
    for path in sorted(out.rglob('*.tif'))[::3]:
        path.unlink()
    (out / 'river' / '.river00.tif.part').write_bytes(b'half')
    (out / 'river' / 'river00.tif').unlink()
    (out / 'val.txt').unlink()
    outcome = prepare_ucmerced([ucmerced], out, allow_missing=True)
    assert outcome.written == 36
    assert 'completed the split' in str(outcome)
    assert contents(out) == whole


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        ('val', lambda lines: [*lines, 'river/river99.tif 16'], r'val\.txt:22: .* none of the images'),
        ('val', lambda lines: [lines[0].replace(' 0', ' 1'), *lines[1:]], r'val\.txt:1: .* with its label'),
        ('val', lambda lines: [*lines, lines[0]], 'stands in the split twice'),
        ('train', lambda lines: lines[1:], r'val\.txt lack agricultural'),
    ],
)
def test_a_split_that_does_not_fit_is_refused(ucmerced, out, name, change, message):
    prepare_ucmerced([ucmerced], out, allow_missing=True)
    (out / f'{name}.txt').write_text('\n'.join(change(lines(out, name))))
    with pytest.raises(PreparationError, match=f'{message}.*--new-split'):
        prepare_ucmerced([ucmerced], out, allow_missing=True)


def test_errors_name_what_is_wrong_and_nothing_is_written(ucmerced, out):
    with pytest.raises(PreparationError, match=r'other than 100 images of agricultural \(5\)'):
        prepare_ucmerced([ucmerced], out)
    with pytest.raises(PreparationError, match='--val-fraction 1'):
        prepare_ucmerced([ucmerced], out, val_fraction=1, allow_missing=True)
    damaged = ucmerced / 'Images' / 'river' / 'river03.tif'
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(UnreadableImageError, match=r'river03\.tif cannot be read'):
        prepare_ucmerced([ucmerced], out, allow_missing=True, workers=2)
    (ucmerced / 'Images' / 'river').rename(ucmerced / 'Images' / 'lost')
    with pytest.raises(PreparationError, match='no images of river'):
        prepare_ucmerced([ucmerced], out, allow_missing=True)
    (ucmerced / 'Images' / 'lake').mkdir()
    (ucmerced / 'Images' / 'lake' / 'lake00.tif').write_bytes(b'')
    with pytest.raises(PreparationError, match=r"lake00\.tif lies in the folder of no class .*'lake'"):
        prepare_ucmerced([ucmerced], out, allow_missing=True)
    with pytest.raises(PreparationError, match='holds no <class>/<class>NN'):
        prepare_ucmerced([ucmerced / 'Images' / 'lost'], out, allow_missing=True)
    assert not out.exists()


def test_another_file_is_not_overwritten(ucmerced, out):
    (out / 'river').mkdir(parents=True)
    (out / 'river' / 'river00.tif').write_bytes(b'mine')
    with pytest.raises(PreparationError, match=r'river/river00\.tif is there already and is not'):
        prepare_ucmerced([ucmerced], out, allow_missing=True)


def test_the_real_sample(data_root, out):
    outcome = prepare_ucmerced([data_root / 'ucmerced'], out, allow_missing=True, workers=2)
    assert outcome.written == 21 * 75
    assert (len(lines(out, 'train')), len(lines(out, 'val'))) == (21 * 60, 21 * 15)
