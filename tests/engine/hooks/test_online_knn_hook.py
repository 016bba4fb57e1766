"""Accuracies during a run are those of the backbones that are extracted from it, and scoring changes nothing."""

import json
import os
import runpy
import subprocess
import sys
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from cmid_mm.checkpoints import extract_backbone, load_checkpoint
from cmid_mm.engine.hooks import OnlineKNNHook
from cmid_mm.evaluation import extract_features, knn_accuracy, read_image_set
from cmid_mm.visualization.progress import ProgressBar

TWO = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone']
ONE_CHECK = '''
from pathlib import Path
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class OneCheck(Hook):
    """Writes down the score that each process knows."""

    def after_train(self, runner):
        score = runner.message_hub.get_scalar('knn/teacher').current()
        Path(runner.work_dir, f'knn_{get_rank()}.txt').write_text(str(score))
'''
RUN = count()  # two runs of one second and one name would share a log


@pytest.fixture
def classes(tmp_path):
    """Three classes of 15 images: noise of three colours, overlapping so that not all are told apart."""
    generator = np.random.default_rng(0)
    for number, colour in enumerate([(90, 100, 110), (110, 100, 90), (100, 120, 100)]):
        (tmp_path / f'classes/{number}').mkdir(parents=True)
        for index in range(15):
            image = generator.normal(colour, 40, (4, 4, 3)).clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(tmp_path / f'classes/{number}/{index}.png'), cv2.resize(image, (40, 40)))
    return tmp_path / 'classes'


def run(cfg: Config, **changes) -> Runner:
    cfg = Config(cfg._cfg_dict.to_dict())
    cfg.merge_from_dict(changes)
    cfg.update(experiment_name=f'scored {next(RUN)}', work_dir=f'{cfg.work_dir}/{next(RUN)}')
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def lines(runner: Runner) -> list[dict]:
    (path,) = Path(runner.work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_training_is_the_same_and_the_scores_are_those_of_the_extracted_backbones(tiny_config, classes, tmp_path):
    knn = dict(type='OnlineKNNHook', data_root=str(classes), interval=1)
    scored = run(tiny_config, **{'default_hooks.knn': knn})
    alone = run(tiny_config)
    losses = [runner.message_hub.get_scalar('train/loss').data[0].tolist() for runner in (scored, alone)]
    assert losses[0] == losses[1]
    for name, value in alone.model.state_dict().items():
        assert torch.equal(scored.model.state_dict()[name], value), name

    told = [line for line in lines(scored) if 'knn/student' in line]
    assert [line['step'] for line in told] == [6, 12]
    images = read_image_set(classes, 96, tmp_path / 'index', ProgressBar)
    for epoch, line in zip((1, 2), told, strict=True):
        for role in ('student', 'teacher'):
            assert line[f'knn/{role}'] == pytest.approx(_accuracy(scored, epoch, role, images, tmp_path))
    # For a CheckpointHook, which runs later.
    history = scored.message_hub.get_scalar('knn/teacher').data[0]
    assert history.tolist() == [line['knn/teacher'] for line in told]


def _accuracy(runner: Runner, epoch: int, role: str, images, folder: Path) -> float:
    file = extract_backbone(f'{runner.work_dir}/epoch_{epoch}.pth', folder / f'{role}{epoch}.pth', role, image_size=96)
    loaded = load_checkpoint(file)
    backbone = MODELS.build(loaded['meta']['backbone'])
    backbone.load_state_dict(loaded['state_dict'])
    features = extract_features(backbone, list(images.pixels), 96, **loaded['meta']['normalisation']).values
    split = [part for rows in (images.scored, images.test) for part in (features[rows], images.labels[rows])]
    return knn_accuracy(*split)


@pytest.mark.slow
def test_it_is_time_every_few_epochs_and_at_the_end(tiny_config, classes):
    tiny_config.param_scheduler = []
    knn = dict(type='OnlineKNNHook', data_root=str(classes), interval=2)
    changes = {'default_hooks.knn': knn, 'train_cfg.max_epochs': 3, 'train_dataloader.dataset.indices': 8}
    assert [line['step'] for line in lines(run(tiny_config, **changes)) if 'knn/teacher' in line] == [4, 6]


def test_a_folder_without_classes_stops_the_run_at_once(tiny_config, image_folder):
    knn = dict(type='OnlineKNNHook', data_root=str(image_folder))
    with pytest.raises(ValueError, match=r'OnlineKNNHook: .*images holds 24 readable images'):
        run(tiny_config, **{'default_hooks.knn': knn})


@pytest.mark.slow
@pytest.mark.parametrize('name', ['mocov2_r18', 'mae_vit-t', 'spark_r18', 'simmim_swin-t'])
def test_methods_of_mmpretrain_are_scored(name, repo, image_folder, classes, tmp_path):
    cfg = Config.fromfile(repo / f'configs/{name.split("_")[0]}/{name}_ucmerced.py')
    if name == 'mocov2_r18':
        cfg.model.queue_len = 8
    cfg.train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False, pin_memory=False)
    cfg.train_dataloader.dataset.update(data_root=str(image_folder), cache=str(tmp_path / 'index'), indices=8)
    cfg.train_cfg.max_epochs = 1
    cfg.param_scheduler = []
    cfg.work_dir = str(tmp_path / 'work')
    runner = run(cfg, **{'default_hooks.knn': dict(type='OnlineKNNHook', data_root=str(classes))})
    (told,) = [line for line in lines(runner) if 'knn/student' in line]
    assert ('knn/teacher' in told) == (name == 'mocov2_r18')
    images = read_image_set(classes, 96, tmp_path / 'images', ProgressBar)
    assert told['knn/student'] == pytest.approx(_accuracy(runner, 1, 'student', images, tmp_path))


def test_one_option_of_train_adds_it(repo, monkeypatch):
    path = str(repo / 'configs/byol/byol_r18_ucmerced.py')
    monkeypatch.setattr('sys.argv', ['train.py', path, '--knn', 'scenes'])
    train = runpy.run_path(str(repo / 'tools/train.py'))
    cfg = train['merge_args'](Config.fromfile(path), train['parse_args']())
    assert cfg.default_hooks.knn == dict(type='OnlineKNNHook', data_root='scenes')


@pytest.mark.slow
def test_of_two_processes_one_scores_and_both_know(tiny_config, repo, classes, tmp_path):
    tiny_config.custom_hooks.append(dict(type='OneCheck'))
    tiny_config.custom_imports = dict(imports=['cmid_mm', 'one_check'])
    (tmp_path / 'one_check.py').write_text(ONE_CHECK)
    tiny_config.dump(tmp_path / 'two.py')
    done = subprocess.run(
        [*TWO, repo / 'tools/train.py', tmp_path / 'two.py', '--launcher', 'pytorch', '--knn', classes],
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=f'{repo}{os.pathsep}{tmp_path}'),
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    scores = [(tmp_path / f'work/knn_{rank}.txt').read_text() for rank in (0, 1)]
    assert scores[0] == scores[1]
    assert 0 <= float(scores[0]) <= 1


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(ValueError, match='interval'):
        OnlineKNNHook('images', interval=0)
