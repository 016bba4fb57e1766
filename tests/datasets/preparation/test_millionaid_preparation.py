"""MillionAID: images linked or unpacked, and their list."""

import cv2
import numpy as np
import pytest

from cmid_mm.datasets import UnlabelledImages
from cmid_mm.datasets.preparation import PreparationError, prepare_millionaid

NAMES = [f'P{number:07d}.jpg' for number in range(5)]


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / 'Million-AID' / 'test'
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        cv2.imwrite(str(folder / name), np.full((8, 8, 3), 40 * number, np.uint8))
    (folder.parent / 'train').mkdir()
    cv2.imwrite(str(folder.parent / 'train' / 'P9.jpg'), np.zeros((8, 8, 3), np.uint8))
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'data' / 'millionaid'


@pytest.mark.parametrize('zipped', [False, True])
def test_pretraining_reads_folder_and_list(source, out, pack, zipped):
    given = pack(source) if zipped else source.parent
    outcome = prepare_millionaid([given], out, allow_missing=True, workers=2)
    assert outcome.written == 5
    assert 'not the official set: 5 images instead of the 990,848' in str(outcome)
    assert (out / 'test.txt').read_text().splitlines() == NAMES
    data = UnlabelledImages(str(out / 'test'), list_file=str(out / 'test.txt'), cache=str(out / 'cache'))
    assert [data.get_data_info(index)['img_path'] for index in range(5)] == [str(out / 'test' / name) for name in NAMES]
    for name in NAMES:
        assert (out / 'test' / name).is_symlink() != zipped
        assert (out / 'test' / name).read_bytes() == (source / name).read_bytes()


@pytest.mark.parametrize('zipped', [False, True])
def test_a_second_run_does_nothing_and_an_interrupted_one_is_completed(source, out, pack, times, contents, zipped):
    given = pack(source) if zipped else source
    prepare_millionaid([given], out, allow_missing=True)
    before, whole = times(out), contents(out)
    outcome = prepare_millionaid([given], out, allow_missing=True)
    assert (outcome.written, outcome.kept) == (0, 5)
    assert times(out) == before
    (out / 'test' / NAMES[2]).unlink()
    (out / 'test' / f'.{NAMES[2]}.part').symlink_to(source / NAMES[0])
    (out / 'test.txt').write_text('P')
    assert prepare_millionaid([given], out, allow_missing=True).written == 1
    assert contents(out) == whole


def test_errors_name_what_is_wrong(source, out):
    with pytest.raises(PreparationError, match='holds 5 images instead of the 990,848'):
        prepare_millionaid([source], out)
    with pytest.raises(PreparationError, match=r'train holds no test/\*\.jpg'):
        prepare_millionaid([source.parent / 'train'], out)
    (source / NAMES[3]).write_bytes(b'')
    with pytest.raises(PreparationError, match=rf'{NAMES[3]} is empty'):
        prepare_millionaid([source], out, allow_missing=True)
    assert not out.exists()
