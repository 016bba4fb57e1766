"""The index of names: complete, in one order, small, shared, and renewed when folders change."""

import os
import pickle
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmid_mm.datasets.file_index import FileIndex, IndexFileError, write_index
from cmid_mm.datasets.index_cache import default_cache, open_index
from cmid_mm.datasets.unlabelled import UnlabelledImages


def touch(path: Path, age: float = 60) -> None:
    """Make an empty file in a folder that has not changed for ``age`` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    settle(path.parent, age)


def settle(path: Path, age: float = 60) -> None:
    """Let this file or folder and those above it look as if they last changed some time ago."""
    for folder in (path, *path.parents[:3]):
        if os.access(folder, os.W_OK):
            os.utime(folder, (time.time() - age,) * 2)


def relative(index: FileIndex) -> list[str]:
    return [index.relative(i) for i in range(len(index))]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / 'images'
    for name in ('b.jpg', 'a.JPG', 'z/1.png', 'a/x/y/deep.tif', 'a/2.tiff', 'a/10.jpeg', 'note.txt'):
        touch(root / name)
    return root


# ---- what is found, and in which order


def test_any_depth_sorted_and_only_images(tree: Path, tmp_path: Path) -> None:
    touch(tree / '.thumbnails' / 'a.jpg')
    touch(tree / '._b.jpg')
    index = open_index([tree], cache=tmp_path / 'cache')
    expected = ['a.JPG', 'b.jpg', 'a/10.jpeg', 'a/2.tiff', 'a/x/y/deep.tif', 'z/1.png']
    assert relative(index) == expected
    assert list(index) == [str(tree / name) for name in expected]


def test_options(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / 'cache'
    assert relative(open_index([tree], recursive=False, cache=cache)) == ['a.JPG', 'b.jpg']
    assert relative(open_index([tree], extensions=['.png'], cache=cache)) == ['z/1.png']
    both = open_index([tree / 'z', tree / 'a'], cache=cache)
    assert list(both)[:2] == [str(tree / 'z/1.png'), str(tree / 'a/10.jpeg')]


name = st.text(st.characters(exclude_characters='/\0', codec='utf-8'), min_size=1, max_size=20).filter(
    lambda text: not text.startswith('.') and len(text.encode()) < 200
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths=st.sets(st.lists(name, min_size=1, max_size=4).map(tuple), max_size=12))
def test_every_name_in_any_script(paths: set, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp('tree')
    expected = set()
    for parts in paths:
        path = root.joinpath(*parts[:-1], parts[-1] + '.png')
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            path.touch()
            expected.add(str(path))
    if not expected:
        with pytest.raises(FileNotFoundError, match='no image was found'):
            open_index([root], cache=root / '.cache')
        return
    index = open_index([root], cache=root / '.cache')
    assert sorted(index) == sorted(expected)
    reopened = pickle.loads(pickle.dumps(index))
    assert list(reopened) == list(index)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b'/caf\xe9.jpg'  # Latin-1
    with open(raw, 'wb'):
        pass
    index = open_index([tmp_path], cache=tmp_path / 'cache')
    assert os.fsencode(index[0]) == raw


def test_links_are_followed_but_not_in_circles(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / 'elsewhere'
    touch(other / 'far.jpg')
    (tree / 'linked').symlink_to(other)
    (tree / 'z' / 'up').symlink_to(tree)
    (other / 'self').symlink_to(other)
    (tree / 'z' / 'gone.jpg').symlink_to(tmp_path / 'nowhere.jpg')
    names = relative(open_index([tree], cache=tmp_path / 'cache'))
    assert [n for n in names if n.startswith('linked')] == ['linked/far.jpg']
    assert [n for n in names if n.startswith('z')] == ['z/1.png', 'z/gone.jpg']


# ---- list files


def test_list_file_keeps_its_order(tree: Path, tmp_path: Path) -> None:
    lines = ['z/1.png', 'a/2.tiff', './b.jpg', 'a/x/../10.jpeg', 'a/2.tiff', '', 'a/missing.jpg']
    (tmp_path / 'list.txt').write_bytes('\ufeff'.encode() + '\r\n'.join(lines).encode())
    index = open_index([tree], [tmp_path / 'list.txt'], cache=tmp_path / 'cache')
    expected = ['z/1.png', 'a/2.tiff', 'b.jpg', 'a/10.jpeg', 'a/2.tiff', 'a/missing.jpg']
    assert relative(index) == expected


@pytest.mark.parametrize('line', ['../other.jpg', '/etc/other.jpg', 'a/../../other.jpg', '..'])
def test_list_file_may_not_leave_its_root(tree: Path, tmp_path: Path, line: str) -> None:
    (tmp_path / 'list.txt').write_text(f'b.jpg\n{line}\n')
    with pytest.raises(ValueError, match=r'line 2 of .*list\.txt is .*leads out of data_root'):
        open_index([tree], [tmp_path / 'list.txt'], cache=tmp_path / 'cache')


def test_list_file_with_labels_or_of_another_root(tree: Path, tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_text('b.jpg 0\n')
    with pytest.raises(ValueError, match=r'line 1 .* ends in none of'):
        open_index([tree], [tmp_path / 'list.txt'], cache=tmp_path / 'cache')
    (tmp_path / 'list.txt').write_text('train/b.jpg\n')
    with pytest.raises(FileNotFoundError, match=r'line 1 .* names train/b\.jpg, which is not in'):
        open_index([tree], [tmp_path / 'list.txt'], cache=tmp_path / 'cache')


def test_missing_things_are_named(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / 'cache'
    with pytest.raises(FileNotFoundError, match=r'nowhere is no folder; correct data_root'):
        open_index([tree, tmp_path / 'nowhere'], cache=cache)
    with pytest.raises(FileNotFoundError, match=r'list\.txt does not exist; correct list_file'):
        open_index([tree], [tmp_path / 'list.txt'], cache=cache)
    with pytest.raises(FileNotFoundError, match=r'no image was found in .*images.*\.bmp'):
        open_index([tree], extensions=['.bmp'], cache=cache)


# ---- the cache


def built(cache: Path) -> list[tuple[str, int]]:
    return [(f.name, f.stat().st_ino) for f in sorted(cache.iterdir())]


def test_cache_is_used_until_something_changes(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / 'cache'
    open_index([tree], cache=cache)
    first = built(cache)
    assert len(first) == 1
    assert len(open_index([tree], cache=cache)) == 6
    assert built(cache) == first
    touch(tree / 'a/x/y/new.jpg', age=30)
    assert len(open_index([tree], cache=cache)) == 7
    assert built(cache) != first
    shutil.rmtree(tree / 'a/x')
    settle(tree / 'a', age=20)
    assert len(open_index([tree], cache=cache)) == 5


def test_a_file_added_at_once_is_seen(tree: Path, tmp_path: Path) -> None:
    """Two changes within one tick of a coarse clock leave the folder with one time."""
    touch(tree / 'one.jpg', age=0.5)
    changed = (tree).stat().st_mtime_ns
    assert len(open_index([tree], cache=tmp_path / 'cache')) == 7
    (tree / 'two.jpg').touch()
    os.utime(tree, ns=(changed, changed))
    assert len(open_index([tree], cache=tmp_path / 'cache')) == 8


def test_changed_list_file_is_seen(tree: Path, tmp_path: Path) -> None:
    listing, cache = tmp_path / 'list.txt', tmp_path / 'cache'
    listing.write_text('b.jpg\n')
    settle(listing)
    open_index([tree], [listing], cache=cache)
    first = built(cache)
    open_index([tree], [listing], cache=cache)
    assert built(cache) == first
    listing.write_text('a.JPG\n')
    settle(listing, age=30)
    assert relative(open_index([tree], [listing], cache=cache)) == ['a.JPG']


def test_damaged_cache_is_built_anew(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / 'cache'
    expected = list(open_index([tree], cache=cache))
    file = next(cache.iterdir())
    content = file.read_bytes()
    for damaged in (b'', content[:5], content[:40], content[:-64], b'x' * 500):
        file.write_bytes(damaged)
        assert list(open_index([tree], cache=cache)) == expected


def test_open_index_outlives_a_new_one(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / 'cache'
    old = open_index([tree], cache=cache)
    names = list(old)
    sent = pickle.dumps(old)
    touch(tree / 'aa.jpg', age=30)
    assert len(open_index([tree], cache=cache)) == 7
    assert list(old) == names
    with pytest.raises(IndexFileError, match='was made anew while it was in use'):
        pickle.loads(sent)


def test_nothing_is_left_of_a_failed_build(tmp_path: Path) -> None:
    def folders():
        yield 0, b'', 0, [b'a.jpg']
        raise KeyError

    with pytest.raises(KeyError):
        write_index(str(tmp_path / 'cache' / 'x.index'), {'roots': ['/']}, folders())
    assert not list(tmp_path.rglob('*.index*'))


def test_default_cache_follows_the_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', '/somewhere')
    assert default_cache() == '/somewhere/cmid_mm/index'
    monkeypatch.delenv('XDG_CACHE_HOME')
    assert default_cache() == os.path.expanduser('~/.cache/cmid_mm/index')


# ---- size


def test_memory_of_a_large_set(tmp_path: Path, tree: Path) -> None:
    """200,000 names of MillionAID's form in 1,000 folders, nothing behind them."""
    names = ((0, b'train/class_%03d' % f, 1, [b'P%07d.jpg' % i for i in range(200)]) for f in range(1000))
    header = {'roots': [str(tree)], 'lists': None, 'extensions': [], 'recursive': True, 'stamps': []}
    index = write_index(str(tmp_path / 'big.index'), header, names)
    assert len(index) == 200_000
    assert index.relative(199_999) == 'train/class_999/P0000199.jpg'
    assert os.path.getsize(index.path) / len(index) < 40
    assert len(pickle.dumps(index)) < 1000

    dataset = UnlabelledImages(str(tree), cache=str(tmp_path / 'cache'))
    dataset.index = index
    assert len(pickle.dumps(dataset)) < 3000
    dataset._kept = np.arange(0, 200_000, 2, dtype=np.uint32)  # what a fixed half keeps
    assert len(pickle.dumps(dataset)) / 100_000 < 5
