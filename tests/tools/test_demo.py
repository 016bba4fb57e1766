import importlib.util
import json
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from types import ModuleType, SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest
from mmpretrain.registry import MODELS
from PIL import Image

from cmid_mm.checkpoints import load_checkpoint


@pytest.fixture(scope='module')
def demo(repo) -> ModuleType:
    spec = importlib.util.spec_from_file_location('cmid_mm_demo_tool', repo / 'tools' / 'demo.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.text = [], ''
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.links += [unquote(value) for name, value in attributes if name in ('src', 'href')]

    def handle_data(self, data):
        self.text += data + '\n'


def _run(repo, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(repo / 'tools' / 'demo.py'), *map(str, arguments)],
        env={**os.environ, 'PYTHONPATH': str(repo), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def _page(work_dir) -> _Links:
    page = _Links((work_dir / 'report' / 'index.html').read_text(encoding='utf-8'))
    assert {'losses.png', 'reconstructions.jpg', 'neighbours.jpg'} <= set(page.links)
    for link in page.links:
        assert np.asarray(Image.open(work_dir / 'report' / link).convert('L')).std() > 5
    return page


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['--epochs', '0'], '--epochs 0 trains nothing'),
        (['--minutes', '-1'], '--minutes -1 leaves no time'),
        (['--minutes', '1', '--epochs', '1'], 'not allowed with'),
        (['--scenes', '31'], '--scenes 31 are too few; give 32 or more'),
        (['--seed', '-1'], '--seed -1 is negative'),
    ],
)
def test_arguments_without_a_meaning_are_refused(demo, arguments, sentence, capsys):
    with pytest.raises(SystemExit) as stopped:
        demo.main(arguments)
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_folder_that_cannot_be_used_ends_in_one_sentence(demo, tmp_path):
    for folder, sentence in (('gone', 'is no folder'), ('few', 'holds 3 readable images; give a folder with 32')):
        if folder == 'few':
            (tmp_path / folder).mkdir()
            for i in range(3):
                Image.new('RGB', (40, 40)).save(tmp_path / folder / f'{i}.png')
        with pytest.raises(SystemExit) as stopped:
            demo.main(['--data', str(tmp_path / folder), '--work-dir', str(tmp_path / 'work')])
        assert sentence in stopped.value.code
        assert stopped.value.code.count('\n') == 0


def test_a_work_folder_that_cannot_be_made_ends_in_one_sentence(demo, tmp_path):
    (tmp_path / 'file').write_text('x')
    with pytest.raises(SystemExit, match=r'demo: .*file'):
        demo.main(['--work-dir', str(tmp_path / 'file' / 'work')])


def test_somebody_elses_files_are_not_overwritten_by_scenes(demo, tmp_path):
    (tmp_path / 'scenes').mkdir()
    (tmp_path / 'scenes' / 'thesis.tex').write_text('precious')
    with pytest.raises(SystemExit, match='holds files but no'):
        demo.main(['--work-dir', str(tmp_path)])
    assert (tmp_path / 'scenes' / 'thesis.tex').read_text() == 'precious'


def test_batch_and_queue_follow_the_number_of_images(demo, tmp_path, data_root):
    def configure(count, **length):
        places = np.arange(2 * count) + 100
        images = SimpleNamespace(root=data_root / 'ucmerced', places=places, train=np.arange(0, 2 * count, 2))
        args = SimpleNamespace(**{'work_dir': tmp_path, 'seed': 3, 'epochs': None, 'minutes': None} | length)
        return demo.demo_config(images, args)

    cfg = configure(40, epochs=5)
    assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size, cfg.randomness.seed) == (5, 32, 3)
    assert cfg.model.global_head.queue_size == 40
    # Held-back images, the odd rows here, are not among those that pretraining reads.
    assert cfg.train_dataloader.dataset.indices == list(range(100, 180, 2))
    assert configure(26, epochs=1).train_dataloader.batch_size == 26


@pytest.mark.slow
def test_drawn_scenes_end_in_a_report_that_a_second_run_repeats(repo, tmp_path):
    def scores():
        return json.loads((tmp_path / 'report' / 'scores.json').read_text())

    first = _run(repo, '--work-dir', tmp_path, '--scenes', 90, '--epochs', 2)
    assert first.returncode == 0, first.stderr
    assert 'left, loss' in first.stdout or 'pretraining: 4/4' in first.stdout
    assert str(tmp_path / 'report' / 'index.html') in first.stdout
    page = _page(tmp_path)
    for row in scores():
        assert f'{100 * row["knn"]:.1f} %' in page.text
    assert [row['name'] for row in scores()] == ['colour histogram', 'untrained', 'CMID']
    file = load_checkpoint(tmp_path / 'backbone.pth')
    MODELS.build(dict(file['meta']['backbone'])).load_state_dict(file['state_dict'], strict=True)

    drawn = {path: path.stat().st_mtime_ns for path in (tmp_path / 'scenes').rglob('*.png')}
    before = scores()
    second = _run(repo, '--work-dir', tmp_path, '--scenes', 90, '--epochs', 2)
    assert second.returncode == 0, second.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / 'scenes').rglob('*.png')} == drawn
    assert scores() == before


@pytest.mark.slow
def test_own_images_with_and_without_classes(repo, tmp_path, data_root):
    data = tmp_path / 'my <b>images</b>'
    flat = tmp_path / 'flat'
    flat.mkdir()
    for name in ('beach', 'forest', 'harbor', 'river'):
        (data / name).mkdir(parents=True)
        for path in sorted((data_root / 'ucmerced' / name).iterdir())[:12]:
            shutil.copy(path, data / name)
            shutil.copy(path, flat / f'{name}_{path.name}')
    (data / 'forest' / 'broken.jpg').write_bytes(b'\xff\xd8\xff\xe0 cut')

    ended = _run(repo, '--data', data, '--work-dir', tmp_path / 'classes', '--minutes', 0.05)
    assert ended.returncode == 0, ended.stderr
    page = _page(tmp_path / 'classes')
    assert 'my <b>images</b>' in page.text
    assert 'broken.jpg' in page.text
    assert 'linear probe' in page.text

    ended = _run(repo, '--data', flat, '--work-dir', tmp_path / 'flat work', '--epochs', 1)
    assert ended.returncode == 0, ended.stderr
    page = _page(tmp_path / 'flat work')
    assert 'linear probe' not in page.text
    assert 'at least 2 sub-folders' in page.text
