"""The page on a run shows what the work folder holds, in a real browser, and runs nothing of what it was given."""

import csv
import json
import os
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cmid_mm.engine.run_record import write_record
from cmid_mm.visualization.run_files import read_checkpoints, read_pictures, read_results
from cmid_mm.visualization.run_report import write_run_report

SECTIONS = ['Run', 'Curves', 'Metrics', 'Pictures', 'Results', 'Checkpoints', 'Config', 'Environment']
EVIL = 'document.documentElement.dataset.executed=1'
HOSTILE = f'"\'><script>{EVIL}</script><img src=x onerror={EVIL}>&amp;'
IN_A_PATH = f'<img src=x onerror={EVIL}> \'"&'
FRAME = f"<script>parent.postMessage('drawn', '*'); try {{ parent.{EVIL} }} catch {{}}</script>"
RECORD = {
    'command': ['python', 'tools/train.py', HOSTILE],
    'config': f'name = {HOSTILE!r}\n',
    'data': {'dataset': HOSTILE, 'samples': 24, 'fingerprint': 'f' * 32},
    'deterministic': True,
    'first_iteration': 0,
    'folder': '/tmp',
    'git': {'commit': 'c' * 40, 'changes': 'd' * 64, 'diff': HOSTILE, 'unknown_files': HOSTILE},
    'hardware': {'processor': HOSTILE, 'cores': 2, 'instructions': 'AVX2', 'gpus': [HOSTILE], 'gpu_driver': ''},
    'iterations': 1200,
    'launcher': 'none',
    'machines': [HOSTILE],
    'processes': 1,
    'seed': 0,
    'software': {'Python': '3.11', 'system': 'Linux', HOSTILE: '1.0'},
    'started': '2026-01-01T00:00:00+00:00',
    'threads': 1,
    'variables': {'OMP_NUM_THREADS': HOSTILE},
    'weights': {HOSTILE: 'e' * 64},
}


def _scalars(folder: Path, names: list[str]) -> None:
    (folder / 'vis_data').mkdir(parents=True, exist_ok=True)
    lines = [{'step': s, 'iter': s, 'lr': 1e-3, 'time': 0.1} | dict.fromkeys(names, 2.0 / s) for s in range(1, 9)]
    (folder / 'vis_data/scalars.json').write_text('\n'.join(map(json.dumps, lines)) + '\n')


@pytest.fixture
def work_dir(tmp_path) -> Path:
    """A work folder in which every name that can be is an attack."""
    folder = tmp_path / IN_A_PATH
    start = folder / '20260101_000000'
    _scalars(start, ['loss', f'loss_{HOSTILE}$a_{{$', 'knn/student'])
    write_record(start, RECORD)
    (folder / 'pictures/deep').mkdir(parents=True)
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(folder / f'pictures/{IN_A_PATH}.png')
    Image.fromarray(np.zeros((30, 900, 3), np.uint8)).save(folder / 'pictures/deep/wide.png')
    (folder / 'pictures/embedding.html').write_text(f'<!DOCTYPE html><body>{FRAME}</body>')
    (folder / 'scores.json').write_text(json.dumps([{'class': HOSTILE, 'IoU': 0.5}, {'class': 'sea', HOSTILE: 0.7}]))
    with (folder / f'{IN_A_PATH}.csv').open('w', newline='') as file:
        csv.writer(file).writerows([['class', HOSTILE], [HOSTILE, '0.5']])
    (folder / 'epoch_2.pth').write_bytes(b'weights')
    return folder


@pytest.fixture
def browse(tmp_path):
    """Open a page in a headless browser; return its DOM after loading, and what it wrote to the console."""
    names = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip(f'none of {", ".join(names)} is installed')

    def _browse(page: Path, *options: str) -> tuple[str, list[str]]:
        quiet = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--enable-logging=stderr']
        private = [f'--user-data-dir={tmp_path / "profile"}', '--virtual-time-budget=10000']
        run = subprocess.run(
            [browser, '--headless=new', *quiet, *private, *options, '--dump-dom', page.as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return run.stdout, [line for line in run.stderr.splitlines() if 'CONSOLE' in line]

    return _browse


def _with_probe(page: Path) -> Path:
    """A copy that writes into its DOM how wide images are, what the frame says, and whether the page overflows."""
    probe = """<script>addEventListener('message', event => { document.body.dataset.frame = event.data });
    addEventListener('load', () => { const body = document.body.dataset, root = document.documentElement;
    body.images = [...document.images].map(image => image.naturalWidth).join(' ');
    body.overflow = root.scrollWidth - root.clientWidth; })</script>"""
    copy = page.with_name('probe.html')
    copy.write_text(page.read_text(encoding='utf-8').replace('<h1>', f'{probe}<h1>', 1))
    return copy


@pytest.mark.parametrize('width', [pytest.param(1100, marks=pytest.mark.slow), 400])
def test_a_browser_shows_all_of_it_and_runs_none_of_the_names(work_dir, browse, tmp_path, width):
    page = write_run_report(work_dir, tmp_path / 'page/report.html')
    dom, console = browse(_with_probe(page), f'--window-size={width},900', '--host-resolver-rules=MAP * ~NOTFOUND')
    assert console == []
    assert re.findall(r'<h2 id="(\w+)">', dom) == SECTIONS
    assert 'None in this folder' not in dom
    widths = re.search(r'data-images="([\d ]+)"', dom)[1].split()
    # loss, its hostile part, lr, knn; two pictures
    assert len(widths) == 6
    assert all(int(width) > 0 for width in widths)
    assert 'data-frame="drawn"' in dom, 'an interactive picture runs its own script'
    assert 'data-executed' not in dom, 'a name or a picture has run a script in the page'
    assert 'data-overflow="0"' in dom


@pytest.mark.slow
def test_nothing_is_asked_of_the_network(work_dir, browse, tmp_path):
    asked = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = ThreadingHTTPServer(('127.0.0.1', 0), Trap)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    outside = f'<img src="http://127.0.0.1:{server.server_port}/"><script>fetch("{{}}")</script>'.replace(
        '{}', f'http://127.0.0.1:{server.server_port}/script'
    )
    (tmp_path / 'trap.html').write_text(outside)
    browse(tmp_path / 'trap.html')
    assert asked, 'the trap does not work'
    asked.clear()
    (work_dir / 'pictures/embedding.html').write_text(outside)
    (work_dir / 'scores.json').write_text(json.dumps({outside: 1}))
    _, console = browse(write_run_report(work_dir, tmp_path / 'report.html'))
    server.shutdown()
    assert asked == []
    assert any('Content Security Policy' in line for line in console), 'the frame was to be stopped by the policy'


def test_without_interactive_pictures_no_script_may_run_at_all(work_dir, tmp_path):
    assert 'script-src' in write_run_report(work_dir, tmp_path / 'r.html').read_text()
    (work_dir / 'pictures/embedding.html').unlink()
    text = write_run_report(work_dir, tmp_path / 'r.html').read_text()
    assert 'script-src' not in text
    assert 'default-src &#x27;none&#x27;' in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)


def test_too_many_bytes_of_pictures_are_named_instead(work_dir, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)).save(
        work_dir / 'pictures/large.png'
    )
    (work_dir / 'pictures/no.png').write_text('no picture')
    shown = {picture.name: picture for picture in read_pictures(work_dir, 50_000)}
    assert shown['large.png'].data is None
    assert 'too much for one page' in shown['large.png'].reason
    assert shown['no.png'].reason == 'it is no PNG'
    assert shown['deep/wide.png'].data
    text = write_run_report(work_dir, tmp_path / 'r.html', most_bytes=50_000).read_text()
    assert 'href="pictures/large.png"' in text


def test_results_of_every_form_become_tables(tmp_path):
    test = tmp_path / 'classification/20260101_000000'
    test.mkdir(parents=True)
    (test / '20260101_000000.json').write_text('{"accuracy/top1": 91.25, "f1": [0.5, 0.25]}')
    (test / 'vis_data').mkdir()
    (test / 'vis_data/scalars.json').write_text(
        '{"loss": 1, "iter": 1, "step": 1}\n{"F1": 0.5, "time": 1, "step": 1}\n{"F1": 0.75, "step": 2}\n{"F'
    )
    (tmp_path / 'nested.json').write_text('{"CMID": {"knn": 0.5}, "BYOL": {"knn": 0.25, "rank": 3}}')
    (tmp_path / 'classes.csv').write_text('class,IoU\nsea,0.5\n"a, b"\n')
    (tmp_path / 'other.json').write_text('[1, [2]]')
    (tmp_path / 'broken.json').write_text('{')
    (tmp_path / 'rerun-20260101_000000').mkdir()
    (tmp_path / 'rerun-20260101_000000/a.json').write_text('{"a": 1}')
    found = {results.name: results for results in read_results(tmp_path)}
    assert set(found) == {
        'classification/20260101_000000',
        'classification/20260101_000000/20260101_000000.json',
        'nested.json',
        'classes.csv',
        'other.json',
        'broken.json',
    }
    assert found['classification/20260101_000000'].rows == (('F1', '0.75'),)
    assert found['classification/20260101_000000/20260101_000000.json'].rows == (
        ('accuracy/top1', '91.25'),
        ('f1', '0.5, 0.25'),
    )
    assert found['nested.json'].header == ('', 'knn', 'rank')
    assert found['nested.json'].rows == (('CMID', '0.5', ''), ('BYOL', '0.25', '3'))
    assert found['classes.csv'].rows == (('sea', '0.5'), ('a, b', ''))
    assert found['other.json'].reason == 'its form is no table'
    assert 'no JSON' in found['broken.json'].reason


def test_checkpoints_are_listed_with_their_sizes(tmp_path):
    for name in ('epoch_1.pth', 'epoch_2.pth', 'backbone.safetensors', 'notes.txt'):
        (tmp_path / name).write_bytes(b'12345')
    found = [(checkpoint.name, checkpoint.size) for checkpoint in read_checkpoints(tmp_path)]
    assert found == [('backbone.safetensors', 5), ('epoch_1.pth', 5), ('epoch_2.pth', 5)]


def test_a_resumed_run_lists_each_start(work_dir, tmp_path):
    write_record(work_dir / '20260101_000000', RECORD)
    second = work_dir / '20260102_000000'
    _scalars(second, ['loss'])
    write_record(second, RECORD | {'first_iteration': 4321, 'git': {'reason': 'git is not installed'}})
    text = write_run_report(work_dir, tmp_path / 'r.html').read_text()
    assert 'Each start' in text
    assert '4,321' in text
    assert 'git is not installed' in text


def test_a_run_of_before_the_records_and_a_name_that_is_no_text(tmp_path):
    _scalars(tmp_path / 'work/20260101_000000', ['loss'])
    (tmp_path / 'work/20260101_000000/vis_data/config.py').write_text('seed = 12345\n')
    (tmp_path / 'work/pictures').mkdir()
    Path(os.fsdecode(bytes(tmp_path / 'work/pictures') + b'/\xff.png')).write_bytes(b'none')
    text = write_run_report(tmp_path / 'work', tmp_path / 'r.html').read_text(encoding='utf-8')
    assert 'seed = 12345' in text
    assert '>?.png<' in text


def test_other_folders_are_refused_with_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match='/no is no folder; give the work folder of a run'):
        write_run_report(tmp_path / 'no', tmp_path / 'r.html')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='holds nothing of a run; give the folder that --work-dir of it named'):
        write_run_report(tmp_path / 'empty', tmp_path / 'r.html')
    assert not (tmp_path / 'r.html').exists()


@pytest.mark.slow
def test_a_real_run_becomes_a_page(tiny_config, run_tool, browse, tmp_path):
    tiny_config.dump(tmp_path / 'tiny.py')
    work_dir = tmp_path / 'work'
    run_tool('train.py', tmp_path / 'tiny.py', '--work-dir', work_dir)
    (tmp_path / 'tested/20260101_000000').mkdir(parents=True)
    (tmp_path / 'tested/20260101_000000/20260101_000000.json').write_text('{"accuracy/top1": 91.25}')
    assert f'{work_dir / "report.html"} (' in run_tool('report.py', work_dir, '--results', tmp_path / 'tested')
    text = (work_dir / 'report.html').read_text()
    assert '91.25' in text
    dom, console = browse(work_dir / 'report.html')
    assert console == []
    for shown in ('loss_spatial', 'UnlabelledImages', 'epoch_2.pth', 'train_dataloader = dict(', 'onedl-mmengine'):
        assert shown in dom, shown
