"""Scenes on disk: the layouts the tasks read, the same files for any number of workers, nothing redrawn."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmid_mm.datasets.scenes import (
    BOX_CLASSES,
    MASK_CLASSES,
    MASK_PALETTE,
    SCENE_CLASSES,
    TASKS,
    draw_scene,
    write_scenes,
)
from cmid_mm.datasets.scenes.writer import split_of

REPOSITORY = Path(__file__).parents[2]
TOOL = REPOSITORY / 'tools' / 'datasets' / 'draw_scenes.py'
NUM = 2 * len(SCENE_CLASSES)


def digest(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


@pytest.fixture(scope='module')
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('scenes with a space') / 'out'
    assert write_scenes(root, NUM, 64, seed=3)
    return root


def test_classification_has_a_folder_a_class(drawn: Path) -> None:
    for split in ('train', 'val'):
        names = sorted(path.name for path in (drawn / 'classification' / split).iterdir())
        assert names == list(SCENE_CLASSES)
    files = list((drawn / 'classification').rglob('*.png'))
    assert len(files) == NUM
    assert len(list((drawn / 'classification' / 'val').rglob('*.png'))) == pytest.approx(0.2 * NUM, abs=1)


def test_files_hold_the_drawn_scenes(drawn: Path) -> None:
    path = next((drawn / 'classification' / 'train' / 'harbour').glob('*.png'))
    index = int(path.stem.rsplit('_', 1)[1])
    scene = draw_scene(3 * 2**32 + index, 'harbour', 64)
    assert np.array_equal(read(path)[..., ::-1], scene.image)
    name = path.name
    mask = next((drawn / 'segmentation' / 'ann_dir').rglob(name))
    assert np.array_equal(read(mask), scene.mask)
    assert (drawn / 'segmentation' / 'img_dir' / mask.parent.name / name).is_file()
    out = next((drawn / 'change').rglob(f'OUT/{name}'))
    assert np.array_equal(read(out), scene.change * 255)
    assert np.array_equal(read(out.parents[1] / 'B' / name)[..., ::-1], scene.later)


def test_every_picture_has_its_partner(drawn: Path) -> None:
    def stems(folder: Path) -> set[str]:
        return {path.stem for path in folder.iterdir()}

    for split in ('train', 'val'):
        assert stems(drawn / f'segmentation/img_dir/{split}') == stems(drawn / f'segmentation/ann_dir/{split}')
        assert stems(drawn / f'detection/{split}/images') == stems(drawn / f'detection/{split}/labelTxt')
    for split in ('train', 'val', 'test'):
        a, b, out = (stems(drawn / 'change' / split / part) for part in ('A', 'B', 'OUT'))
        assert a == b == out
        assert a


def test_labels_are_dota_lines(drawn: Path) -> None:
    lines = [line.split() for path in (drawn / 'detection').rglob('*.txt') for line in path.read_text().splitlines()]
    assert len(lines) > NUM
    for *corners, name, difficult in lines:
        assert len([float(value) for value in corners]) == 8
        assert name in BOX_CLASSES
        assert difficult in ('0', '1')


def test_record_says_what_was_drawn(drawn: Path) -> None:
    record = json.loads((drawn / 'scenes.json').read_text())
    assert record['scene_classes'] == list(SCENE_CLASSES)
    assert record['mask_classes'] == list(MASK_CLASSES)
    assert len(record['mask_palette']) == len(set(map(tuple, record['mask_palette']))) == len(MASK_CLASSES)
    assert record['mask_palette'] == [list(colour) for colour in MASK_PALETTE]
    assert (record['seed'], record['size'], record['num'], record['tasks']) == (3, 64, NUM, list(TASKS))


def test_number_of_workers_changes_nothing(drawn: Path, tmp_path: Path) -> None:
    # A caller that has used OpenCV's threads: forked workers would hang on its pool if nothing were done about it.
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.float32), (15, 15), 3)
    assert write_scenes(tmp_path / 'out', NUM, 64, seed=3, workers=2)
    assert digest(tmp_path / 'out') == digest(drawn)
    assert cv2.getNumThreads() == 2, "the caller's setting is lost"


def test_same_settings_draw_nothing_again(drawn: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in drawn.rglob('*.png')}
    assert not write_scenes(drawn, NUM, 64, seed=3)
    assert {path: path.stat().st_mtime_ns for path in drawn.rglob('*.png')} == times


def test_other_settings_need_overwrite(tmp_path: Path) -> None:
    root = tmp_path / 'out'
    write_scenes(root, 4, 64, tasks=['classification', 'change'])
    with pytest.raises(FileExistsError, match=r'says size 64 where 32 is asked for.*--overwrite'):
        write_scenes(root, 4, 32, tasks=['classification'])
    assert write_scenes(root, 4, 32, tasks=['classification'], overwrite=True)
    assert not (root / 'change').exists(), 'scenes of the former settings stay'
    assert {read(path).shape for path in root.rglob('*.png')} == {(32, 32, 3)}


def test_a_run_cut_short_is_taken_up_again(tmp_path: Path) -> None:
    root = tmp_path / 'out'
    write_scenes(root, 4, 64, tasks=['segmentation'])
    whole = digest(root)
    record = json.loads((root / 'scenes.json').read_text())
    (root / 'scenes.json').write_text(json.dumps({**record, 'complete': False}))
    next(root.rglob('*.png')).unlink()
    assert write_scenes(root, 4, 64, tasks=['segmentation'])
    assert digest(root) == whole


@pytest.mark.parametrize('overwrite', [False, True])
def test_a_folder_of_someone_else_is_left_alone(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / 'change').mkdir()
    (tmp_path / 'change' / 'thesis.txt').write_text('years of work')
    with pytest.raises(FileExistsError, match=r'holds files but no scenes\.json'):
        write_scenes(tmp_path, 4, 64, overwrite=overwrite)
    assert (tmp_path / 'change' / 'thesis.txt').read_text() == 'years of work'


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'num': 0}, 'num 0'),
        ({'size': 16}, 'size 16'),
        ({'seed': -1}, 'seed -1'),
        ({'workers': 0}, 'workers 0'),
        ({'tasks': ['captions']}, 'captions'),
        ({'tasks': []}, 'one or more of'),
        ({'val_fraction': 0.9}, r'val_fraction 0\.9'),
    ],
)
def test_wrong_arguments_are_named(tmp_path: Path, change: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        write_scenes(tmp_path / 'out', **{'num': 2, 'size': 64, **change})
    assert not (tmp_path / 'out').exists()


@settings(max_examples=40)
@given(fraction=st.floats(0, 0.4), each=st.integers(1, 200))
def test_every_class_is_split_by_the_share_asked(fraction: float, each: int) -> None:
    count = len(SCENE_CLASSES)
    splits = [split_of(index, 'change', fraction) for index in range(each * count)]
    plain = [split_of(index, 'detection', fraction) for index in range(each * count)]
    assert [split == 'val' for split in splits] == [split == 'val' for split in plain]
    assert plain.count('val') == pytest.approx(fraction * each * count, abs=2)
    for label in range(count):
        for name in ('val', 'test'):
            assert splits[label::count].count(name) == pytest.approx(fraction * each, abs=1.01)


@pytest.mark.slow
def test_command_draws_then_says_nothing_to_draw_then_refuses(tmp_path: Path) -> None:
    def command(*more: str) -> subprocess.CompletedProcess:
        arguments = [sys.executable, str(TOOL), str(tmp_path / 'out'), '--num', '6', '--workers', '1']
        environment = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
        return subprocess.run([*arguments, *more], capture_output=True, text=True, check=False, env=environment)

    first = command('--size', '64', '--tasks', 'detection', 'change')
    assert first.returncode == 0, first.stderr
    assert 'drew 6 scenes' in first.stdout
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['change', 'detection', 'scenes.json']
    again = command('--size', '64', '--tasks', 'detection', 'change')
    assert 'nothing to draw' in again.stdout
    other = command('--size', '96', '--tasks', 'detection', 'change')
    assert other.returncode == 1
    assert other.stderr.strip().splitlines()[-1].startswith('draw_scenes: ')
    assert '--overwrite' in other.stderr
