"""tools/benchmark/compare.py gives every method the same, repeats nothing, and hides nothing that failed."""

import csv
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import torchvision
from mmengine.config import Config

from cmid_mm.evaluation import extract_features, knn_accuracy, read_image_set
from cmid_mm.visualization.progress import ProgressBar

TOOL = 'benchmark/compare.py'
EPOCHS, BATCH = 6, 16
# Small networks of two methods that see another number of views of each image: two, and eight.
CMID = """
_base_ = '{repo}/configs/cmid/cmid_r18_ucmerced.py'
projector = dict(hid_channels=32, out_channels=16)
model = dict(
    backbone=dict(stem_channels=8, base_channels=8),
    global_head=dict(projector=projector),
    local_head=dict(projector=dict(num_prototypes=24, **projector)),
)
"""
SWAV = """
_base_ = '{repo}/configs/swav/swav_r18_ucmerced.py'
model = dict(
    backbone=dict(stem_channels=8, base_channels=8),
    neck=dict(in_channels=64, hid_channels=32, out_channels=16),
    head=dict(loss=dict(feat_dim=16, num_prototypes=24)),
)
custom_hooks = [*_base_.custom_hooks[:-1], dict(_base_.custom_hooks[-1], feat_dim=16)]
"""


def take_some(source: Path, target: Path, classes: int, each: int) -> Path:
    for folder in sorted(source.iterdir())[:classes]:
        (target / folder.name).mkdir(parents=True)
        for file in sorted(folder.iterdir())[:each]:
            shutil.copy(file, target / folder.name)
    return target


def write_configs(folder: Path, repo: Path) -> tuple[str, str]:
    for name, text in (('cmid', CMID), ('swav', SWAV)):
        (folder / f'{name}.py').write_text(text.format(repo=repo))
    return f'small_cmid={folder / "cmid.py"}', f'small_swav={folder / "swav.py"}'


def scores_of(work_dir: Path) -> dict[tuple, str]:
    """Every figure, as it was written, but time and memory."""
    with (work_dir / 'scores.csv').open(newline='') as file:
        rows = [tuple(row) for row in csv.reader(file)][1:]
    return {row[:-1]: row[-1] for row in rows if row[-2] not in ('seconds', 'peak_memory_mb')}


@pytest.fixture
def tools(repo, monkeypatch):
    """Modules of tools/benchmark."""
    monkeypatch.syspath_prepend(str(repo / 'tools/benchmark'))
    return importlib.import_module


@pytest.fixture(scope='module')
def few_scenes(data_root, tmp_path_factory):
    """Some real images of two sets."""
    folder = tmp_path_factory.mktemp('scenes')
    take_some(data_root / 'ucmerced', folder / 'ucmerced', classes=5, each=20)
    return take_some(data_root / 'rsscn7', folder / 'rsscn7', classes=4, each=12).parent


@pytest.fixture(scope='module')
def arguments(few_scenes, tmp_path_factory, pytestconfig):
    """A comparison of a minute."""
    configs = write_configs(tmp_path_factory.mktemp('configs'), pytestconfig.rootpath)
    return [
        *('--configs', *configs, '--data', f'ucmerced={few_scenes / "ucmerced"}'),
        *('--transfer', f'rsscn7={few_scenes / "rsscn7"}', '--seeds', '3', '--batch-size', str(BATCH)),
        *('--shots', '5', '100', '--fine-tune-steps', '2', '--epochs', str(EPOCHS)),
    ]


@pytest.fixture(scope='module')
def compared(arguments, tmp_path_factory, run_tool):
    """What an undisturbed run leaves."""
    work_dir = tmp_path_factory.mktemp('compared')
    run_tool(TOOL, *arguments, '--work-dir', work_dir)
    return work_dir


@pytest.mark.slow
def test_tables_and_figure_say_what_the_pieces_hold(compared):
    scores, text = scores_of(compared), (compared / 'comparison.md').read_text()
    for method in ('colour histogram', 'small_cmid', 'small_swav'):
        for scored in ('ucmerced', 'rsscn7'):
            data = '' if method == 'colour histogram' else 'ucmerced'
            table = text.split(f'scored on {scored} ')[1].split('###')[0]
            (row,) = (line for line in table.splitlines() if line.startswith(f'| {method} |'))
            shown = [cell.strip(' *') for cell in row.split('|')[4:-1]]
            for metric, cell in zip(('knn', 'linear_probe', '5-shot', 'fine_tuned'), shown, strict=True):
                wanted = (data, scored, method, metric)
                value = [value for key, value in scores.items() if (*key[:3], key[5]) == wanted]
                assert cell == (f'{100 * float(value[0]):.1f}' if value else '-'), wanted
            assert (shown[3] == '-') == (method == 'colour histogram')
    assert 'no 100-shot score on rsscn7: a class has only' in text
    assert 'never seen in pretraining' in text
    assert (compared / 'comparison.png').stat().st_size > 10_000
    with (compared / 'comparison.csv').open(newline='') as file:
        assert {row['seeds'] for row in csv.DictReader(file)} == {'1'}


@pytest.mark.slow
def test_every_method_sees_the_same_images(compared):
    counted = {key[2]: float(value) for key, value in scores_of(compared).items() if key[-1] == 'images'}
    # 80 of the 100 images are pretrained on, in whole batches.
    assert counted == dict.fromkeys(('small_cmid', 'small_swav'), EPOCHS * (80 // BATCH) * BATCH)
    listed = {Path(file).name: Path(file).read_text().splitlines() for file in compared.glob('lists/ucmerced*.txt')}
    assert [len(lines) for lines in listed.values()] == [80]


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_figures_and_repeats_nothing(arguments, compared, tmp_path, repo, run_tool):
    command = [sys.executable, str(repo / 'tools' / TOOL), *arguments, '--work-dir', str(tmp_path)]
    with (tmp_path / 'log').open('w') as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, 'PYTHONPATH': str(repo)})
    waited = time.monotonic()
    while not list(tmp_path.glob('cells/ucmerced/small_cmid/*/run/epoch_2.pth')):
        assert process.poll() is None, (tmp_path / 'log').read_text()
        assert time.monotonic() - waited < 300
        time.sleep(0.01)
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    process.wait()
    # A cell that outlived its parent would train beside the run that goes on.
    psutil.wait_procs(children, timeout=30)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert not list(tmp_path.glob('cells/ucmerced/*/*/pretraining.json'))

    run_tool(TOOL, *arguments, '--work-dir', tmp_path)
    assert scores_of(tmp_path) == scores_of(compared)
    first, second = sorted(tmp_path.glob('cells/ucmerced/small_cmid/*/run/*/vis_data/scalars.json'))
    epochs = [[json.loads(line)['epoch'] for line in file.read_text().splitlines()] for file in (first, second)]
    assert min(epochs[1]) >= 3

    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*.json')}
    assert ', 0 of them to run' in run_tool(TOOL, *arguments, '--work-dir', tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*.json')} == before


@pytest.mark.slow
def test_a_diverged_cell_is_reported_and_torchvisions_weights_are_a_row(few_scenes, repo, run_tool, tmp_path):
    (tmp_path / 'broken.py').write_text(
        f"_base_ = '{repo}/configs/cmid/cmid_r18_ucmerced.py'\n"
        'model = dict(backbone=dict(stem_channels=8, base_channels=8))\noptim_wrapper = dict(optimizer=dict(lr=1e18))\n'
    )
    torch.manual_seed(0)
    network = torchvision.models.resnet18()
    torch.save(network.state_dict(), tmp_path / 'resnet18.pth')
    text = run_tool(
        TOOL,
        *('--methods', 'mocov2', 'imagenet', '--configs', f'broken={tmp_path / "broken.py"}'),
        *('--data', f'ucmerced={few_scenes / "ucmerced"}', '--budget', 'time', '--minutes', '0.05', '--seeds', '0'),
        *('--batch-size', '16', '--shots', '5', '--fine-tune-steps', '0', '--work-dir', tmp_path / 'work'),
        *('--imagenet-weights', tmp_path / 'resnet18.pth'),
    )
    assert re.search(r'\| broken \| broken \| 0 of 1 \| - \|', text)
    assert re.search(r'- broken, seed 0 on ucmerced: diverged: iteration \d+: loss\w* is (nan|inf) ', text)
    # A budget of time is spent in whole epochs, one at least.
    assert re.search(r'\| mocov2 \| r18 \| ucmerced \| 1 \| 5 \| 80 \|', text)

    images = read_image_set(few_scenes / 'ucmerced', 96, tmp_path / 'index', ProgressBar)
    network.fc = torch.nn.Identity()
    normalisation = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
    values = extract_features(network, images.pixels, size=96, **normalisation).values
    expected = knn_accuracy(*(part[rows] for rows in (images.train, images.test) for part in (values, images.labels)))
    (score,) = (value for key, value in scores_of(tmp_path / 'work').items() if (key[2], key[5]) == ('imagenet', 'knn'))
    assert float(score) == expected


@pytest.mark.slow
def test_branches_of_cmid_are_compared_in_the_same_cells(few_scenes, repo, run_tool, tmp_path):
    config = write_configs(tmp_path, repo)[0].partition('=')[2]
    options = [
        *('--data', f'ucmerced={few_scenes / "ucmerced"}', '--config', config, '--epochs', '1', '--batch-size', '16'),
        *('--seeds', '0', '--variants', 'colour histogram', 'CMID', 'without local', '--work-dir', tmp_path / 'work'),
    ]
    printed = run_tool('benchmark/learning.py', *options, '--json', tmp_path / 'scores.json')
    results = {result['name']: result for result in json.loads((tmp_path / 'scores.json').read_text())}
    for name, steps in (('colour histogram', 0), ('CMID', 5), ('without local', 5)):
        result = results[name]
        assert f'| {name} | {steps} | {100 * result["knn"]:.1f} | {100 * result["linear_probe"]:.1f} |' in printed
    assert results['CMID']['effective_rank'] != results['without local']['effective_rank']
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / 'work').rglob('*.json')}
    run_tool('benchmark/learning.py', *options)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / 'work').rglob('*.json')} == before


@pytest.fixture
def cell_of(tools, repo, tmp_path):
    """A cell, with some of its settings changed."""
    cells = tools('cells')

    def _cell_of(seed=0, images='abc', minutes=None, workers=1, shots=(5,), steps=10, **changes):
        cfg = Config.fromfile(repo / 'configs/cmid/cmid_r18_ucmerced.py')
        cfg.merge_from_dict(changes)
        scenes = cells.Scenes('some', str(tmp_path), images, str(tmp_path / 'list.txt'), 80, 20)
        return cells.make_cell(
            *(tmp_path, 'cmid', cells.PRETRAINED, seed, cfg),
            data=scenes,
            scored=[scenes],
            evaluation=cells.Evaluation(shots, steps, ('some',)),
            minutes=minutes,
            workers=workers,
        )

    return _cell_of


def test_different_settings_never_share_a_cell(cell_of):
    changes = [
        {},
        dict(seed=1),
        dict(images='abd'),
        dict(minutes=3.0),
        {'train_cfg.max_epochs': 3},
        {'train_dataloader.batch_size': 32},
        {'optim_wrapper.optimizer.lr': 1e-3},
        {'model.global_head.queue_size': 512},
        {'data_preprocessor.mean': [0.0, 0.0, 0.0]},
    ]
    made = [cell_of(**change) for change in changes]
    assert len({cell.folder for cell in made}) == len(changes)
    assert cell_of().folder == made[0].folder
    # How many processes load images changes nothing that is learned.
    assert cell_of(workers=3).folder == made[0].folder

    (scenes,) = made[0].scored
    for change, scored_anew in ((dict(shots=(5, 20)), 'frozen'), (dict(steps=20), 'fine_tuned')):
        other = cell_of(**change)
        # The backbone is the same; only what is scored otherwise is scored again.
        assert other.made == made[0].made
        for piece in ('frozen', 'fine_tuned'):
            same = getattr(other, piece)(scenes) == getattr(made[0], piece)(scenes)
            assert same == (piece != scored_anew)


def test_the_table_shows_intervals_and_counts_seeds_that_diverged(cell_of, tools, tmp_path):
    cells, comparison = tools('cells'), tools('comparison')
    made = [cell_of(seed=seed) for seed in range(3)]
    for cell, knn in zip(made, (0.5, 0.6, None), strict=True):
        error = dict(error='diverged: the loss is nan in step 7 of 40') if knn is None else dict(images=80)
        cells.write_piece(cell.made, dict(error, Hardware=f'machine {cell.seed == 1}'))
        if knn is not None:
            cells.write_piece(cell.frozen(cell.data), dict(name='cmid', knn=knn, linear_probe=knn, smallest_class=16))
    text = comparison.write(tmp_path, made, dict(cmid='r18'), {}, ['a note'], dict(Command='it'), pictures=True)
    # Two seeds: t(0.975, 1) = 12.706, times the deviation 7.07 over the root of 2.
    assert '| cmid | r18 | 2 of 3 | **55.0 ± 63.5** | **55.0 ± 63.5** |' in text
    assert '- cmid, seed 2 on some: diverged: the loss is nan in step 7 of 40' in text
    assert '- times and memory are of several machines' in text
    assert '- a note' in text
    assert all(cell.finished() == (cell.seed == 2) for cell in made)
    reasons = {made[0]: 'it was killed'}
    assert '- cmid, seed 0 on some failed and is missing: it was killed' in comparison.write(
        tmp_path, made, {}, reasons, [], {}, pictures=False
    )


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        (['--methods', 'cmid', '--data', 'x=configs'], '--budget images needs --epochs'),
        (['--methods', 'cmid', '--data', 'x=configs', '--budget', 'time', '--epochs', '1'], 'needs --minutes'),
        (['--data', 'x=configs', '--epochs', '1'], 'nothing to compare'),
        (['--methods', 'cmid', '--data', 'configs', '--epochs', '1'], '--data configs is not of the form NAME=PATH'),
        (['--methods', 'cmid', '--data', 'x=none', '--epochs', '1'], 'x=none is not NAME=FOLDER of an existing folder'),
        (
            ['--methods', 'cmid', '--data', 'x=configs', '--transfer', 'y=tools/../configs', '--epochs', '1'],
            '--transfer y=tools/../configs is also pretrained on',
        ),
        (
            ['--methods', 'cmid', '--data', 'x=configs', '--epochs', '1', '--fine-tune-on', 'z'],
            '--fine-tune-on z: there is only x',
        ),
        (['--methods', 'cmid', '--data', 'x=configs', '--epochs', '1', '--rates', '1', '0'], '--rates must be more'),
    ],
)
def test_what_cannot_be_compared_is_refused_at_once(tools, repo, monkeypatch, capsys, options, sentence):
    monkeypatch.chdir(repo)
    with pytest.raises(SystemExit):
        tools('compare').parse_args(options)
    assert sentence in capsys.readouterr().err


def test_an_unknown_method_is_told_which_there_are(tools):
    compare = tools('compare')
    with pytest.raises(ValueError, match=r'--methods dino: there is no configs/dino/dino_r18_.*there are .*cmid.*mae'):
        compare.find_configs(['cmid', 'dino'], compare.BACKBONES, [])
    with pytest.raises(ValueError, match='cmid is already a method'):
        compare.find_configs(['cmid'], compare.BACKBONES, [('cmid', Path('x.py'))])


def test_every_method_has_a_row_at_each_rate(tools, few_scenes, tmp_path):
    compare = tools('compare')
    data = f'ucmerced={few_scenes / "ucmerced"}'
    options = ['--methods', 'cmid', 'simclr', 'untrained', '--data', data, '--epochs', '1', '--batch-size', '16']
    args = compare.parse_args([*options, '--rates', '1', '0.1', '--seeds', '0', '--work-dir', str(tmp_path)])
    scenes = {'ucmerced': compare.find_scenes('ucmerced', str(few_scenes / 'ucmerced'), tmp_path, ProgressBar)}
    configs = compare.find_configs(['cmid', 'simclr'], compare.BACKBONES, [])
    cells, backbones, _ = compare.list_cells(args, configs, scenes)
    rates = {cell.method: Config.fromfile(cell.config).optim_wrapper.optimizer.lr for cell in cells[2:]}
    assert list(rates) == ['cmid', 'cmid, rate x 0.1', 'simclr', 'simclr, rate x 0.1']
    for method in ('cmid', 'simclr'):
        assert rates[f'{method}, rate x 0.1'] == pytest.approx(rates[method] / 10)
    assert {backbones[cell.method] for cell in cells[1:]} == {'r18'}


def test_without_a_file_of_weights_the_table_says_so(tools, tmp_path, monkeypatch):
    compare = tools('compare')
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    assert 'holds no resnet18-*.pth, and nothing is downloaded' in compare.imagenet_file('r18', None)
    (tmp_path / 'checkpoints').mkdir()
    (tmp_path / 'checkpoints/resnet18-f37072fd.pth').touch()
    assert compare.imagenet_file('r18', None) == tmp_path / 'checkpoints/resnet18-f37072fd.pth'
    assert 'only ResNets' in compare.imagenet_file('swin-t', None)


def test_pretraining_never_sees_what_is_scored(tools, few_scenes, tmp_path):
    cells = tools('cells')
    scenes = cells.find_scenes('ucmerced', str(few_scenes / 'ucmerced'), tmp_path, ProgressBar)
    images = cells.read_scenes(scenes.root, 32, tmp_path, ProgressBar)
    listed = Path(scenes.list_file).read_text().splitlines()
    assert (len(listed), scenes.images, scenes.held_back) == (80, 80, 20)
    assert np.bincount(images.labels[images.test]).tolist() == [4] * 5
    again = cells.find_scenes('ucmerced', str(few_scenes / 'ucmerced'), tmp_path, ProgressBar)
    assert again == scenes
