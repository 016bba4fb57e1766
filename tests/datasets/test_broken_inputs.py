"""Broken and unusual inputs of some 200 kinds: each is read right, or skipped and named; none ends or hangs a run."""

import os
import re
import runpy
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger

from cmid_mm.apis.inputs import find_images, read_scene
from cmid_mm.datasets import UnlabelledImages, UnreadableImageError
from cmid_mm.datasets.decoding import Decoding
from cmid_mm.datasets.preparation.pack import pack_images
from cmid_mm.datasets.preparation.pack_form import PackForm
from cmid_mm.datasets.unreadable_list import read_unreadable
from cmid_mm.evaluation.image_set import read_image_set

_INPUTS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name('broken_inputs.py'))))
Kind, KINDS, PICTURE = _INPUTS.Kind, _INPUTS.KINDS, _INPUTS.PICTURE
LOAD = [{'type': 'LoadAerialImage', 'crop_size': 0}, {'type': 'PackInputs'}]
GOOD = _INPUTS.Kind('good', 'good.png', _INPUTS._write, PICTURE)


def open_folder(root: Path, **kwargs) -> UnlabelledImages:
    return UnlabelledImages(str(root), **{'pipeline': LOAD, 'cache': str(root.parent / 'cache'), **kwargs})


def pixels_of(sample: dict) -> np.ndarray:
    return sample['inputs'].permute(1, 2, 0).numpy()


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Kind]]:
    """A folder of all kinds, and the kind of each path."""
    base = tmp_path_factory.mktemp('broken')
    root = base / 'images'
    root.mkdir()
    kinds = [*_INPUTS.make_folder(root, base / 'outside'), GOOD]
    _INPUTS.make_kind(GOOD, root, base / 'outside')
    return root, {str(root / kind.path): kind for kind in kinds}


def skipped(kinds: dict[str, Kind]) -> set[str]:
    return {path for path, kind in kinds.items() if kind.pixels is None}


def test_there_are_more_than_a_hundred_kinds() -> None:
    assert len({kind.name for kind in KINDS}) == len({kind.path for kind in KINDS}) == len(KINDS) > 200


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.name.encode('ascii', 'replace').decode())
def test_each_kind_is_read_right_or_skipped_and_named(kind: Kind, tmp_path: Path) -> None:
    if kind.needs_user and os.geteuid() == 0:
        pytest.skip('the superuser may read everything; run as another user')
    root = tmp_path / 'images'
    for made in (kind, GOOD):
        path, good = _INPUTS.make_kind(made, root, tmp_path / 'outside'), GOOD
    path = str(root / kind.path)
    dataset = open_folder(root)
    found = [dataset.get_data_info(number)['img_path'] for number in range(len(dataset))]
    assert sorted(found) == sorted([path, str(root / good.path)])
    sample = dataset[found.index(path)]
    image, metainfo = pixels_of(sample), sample['data_samples'].metainfo
    if kind.pixels is None:
        [(named, reason)] = metainfo['unreadable']
        assert named == path
        assert re.search(kind.reason, reason), reason
        assert reason.isprintable()
        assert good.matches(image)
    else:
        assert 'unreadable' not in metainfo
        assert metainfo['img_path'] == path
        assert kind.matches(image)


# ---- the folder of all


def test_all_are_found_once_and_circles_end(folder: tuple) -> None:
    root, kinds = folder
    assert sorted(open_folder(root).index) == sorted(kinds)


def test_images_of_other_formats_are_named(tmp_path: Path) -> None:
    MMLogger.get_instance(str(tmp_path), log_file=str(tmp_path / 'log.txt'))
    root = tmp_path / 'images'
    _INPUTS.make_kind(GOOD, root, tmp_path)
    for name in ('a.bmp', 'b.GIF', 'c.jp2', 'd.webp', 'note.txt'):
        (root / name).write_bytes(b'')
    assert len(open_folder(root)) == 1
    told = (tmp_path / 'log.txt').read_text()
    assert re.search(
        r'4 images were left out, in formats that are not read: \S*a\.bmp, \S*b\.GIF, \S*c\.jp2 and 1 more', told
    )
    assert 'note.txt' not in told


def test_a_folder_deeper_than_a_path_may_be_is_named(tmp_path: Path) -> None:
    """Such trees are made by programs that go down step by step; their deepest folders cannot be opened by a path."""
    root = tmp_path / 'images'
    _INPUTS.make_kind(GOOD, root, tmp_path)
    place = os.open(root, os.O_RDONLY)
    for _ in range(20):
        os.mkdir('d' * 250, dir_fd=place)
        above, place = place, os.open('d' * 250, os.O_RDONLY, dir_fd=place)
        os.close(above)
    os.close(place)
    dataset = open_folder(root)
    assert len(dataset) == 2
    [(path, reason)] = dataset[1]['data_samples'].metainfo['unreadable']
    assert path.startswith(str(root / ('d' * 250)))
    assert reason == 'File name too long'


def test_messages_about_odd_names_are_one_line_of_text(tmp_path: Path) -> None:
    error = UnreadableImageError('/a\n\x1b[2J\udcff.png', 'cut')
    assert str(error) == '/a\\n\\x1b[2J\\udcff.png cannot be read as an image: cut'
    assert error.path == '/a\n\x1b[2J\udcff.png'


def test_packing_leaves_out_what_cannot_be_read(folder: tuple, tmp_path: Path) -> None:
    root, kinds = folder
    form = PackForm(crop_size=224, lossless=True)
    cache = str(tmp_path / 'cache')
    pack_images([root], tmp_path / 'pack', form=form, max_unreadable=1, workers=2, cache=cache)
    assert read_unreadable(str(tmp_path / 'pack/unreadable_images.txt')).keys() == skipped(kinds)
    dataset = open_folder(tmp_path / 'pack')
    assert len(dataset) == len(kinds) - len(skipped(kinds))
    for number in range(len(dataset)):
        kind = kinds[str(root / dataset.index.relative(number))]
        assert kind.matches(pixels_of(dataset[number])), kind.name


def test_scores_are_of_what_can_be_read(folder: tuple, tmp_path: Path) -> None:
    root, kinds = folder

    def bar(name: str, total: int) -> nullcontext:
        return nullcontext(SimpleNamespace(advance=lambda number: None))

    images = read_image_set(root, size=32, cache=tmp_path, bar=bar)
    assert len(images.places) == len(kinds) - len(skipped(kinds))
    assert len(images.problems) == len(skipped(kinds))
    assert all(problem.isprintable() for problem in images.problems)


def test_inference_reads_or_refuses_by_name(folder: tuple) -> None:
    root, kinds = folder
    decoding = Decoding(lambda height, width: 1, None, None, 2**30)
    sources = find_images(root)
    assert {source.path for source in sources} == kinds.keys()
    assert len({source.name for source in sources}) == len(sources)
    for source in sources:
        kind = kinds[source.path]
        if kind.pixels is None:
            with pytest.raises(UnreadableImageError, match=kind.reason):
                read_scene(source, decoding)
        else:
            assert kind.matches(read_scene(source, decoding).dates[0][..., ::-1]), kind.name


@pytest.mark.slow
def test_a_run_goes_on_and_lists_what_it_skipped(
    folder: tuple, repo: Path, tiny_config: Config, image_folder: Path, tmp_path: Path
) -> None:
    """Two workers, every image of the folder and 24 good ones, as a user starts it."""
    root, kinds = folder
    loader = tiny_config.train_dataloader
    loader.update(num_workers=2, persistent_workers=True, batch_size=8)
    loader.dataset.update(data_root=[str(root), str(image_folder)], cache=str(tmp_path / 'cache'))
    for hook in tiny_config.custom_hooks:
        if hook.type == 'UnreadableImagesHook':
            hook.max_fraction = 1.0
    tiny_config.dump(tmp_path / 'config.py')
    command = [sys.executable, repo / 'tools/train.py', tmp_path / 'config.py', '--work-dir', tmp_path / 'work']
    run = subprocess.run(
        list(map(str, command)), capture_output=True, timeout=600, env={**os.environ, 'PYTHONPATH': str(repo)}
    )
    told = (run.stdout + run.stderr).decode(errors='replace')
    assert run.returncode == 0, told[-3000:]
    assert 'Traceback' not in told
    assert (tmp_path / 'work/epoch_2.pth').exists()
    listed = read_unreadable(str(tmp_path / 'work/unreadable_images.txt'))
    assert listed.keys() == skipped(kinds)
    assert all(re.search(kinds[path].reason, reason) for path, reason in listed.items())
    assert f'{len(listed)} unreadable images were replaced by others' in told
