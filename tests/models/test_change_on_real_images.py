"""Real pairs: from an extracted backbone to scores and a picture, through the Runner, as tools/train.py does it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner

EPOCHS = 80


@pytest.fixture(scope='module')
def run(data_root: Path, repo: Path, extracted_r18: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of a run on the real triples of DSIFN, five for training; by config alone."""
    work = tmp_path_factory.mktemp('change')
    cfg = Config.fromfile(repo / 'configs/change_detection/bit_r18_scenes.py')
    cfg.model.backbone.init_cfg.checkpoint = str(extracted_r18)
    # DSIFN's changes are large: the third map, as in the paper, and no class weights.
    loss = dict(_delete_=True, type='CrossEntropyLoss', avg_non_ignore=True)
    cfg.merge_from_dict(dict(model=dict(decode_head=dict(in_index=2, stride=16, in_channels=256, loss_decode=loss))))
    cfg.optim_wrapper.optimizer.lr = 1e-3
    # The fixture's backbone has seen a few images, once: it has further to go than a pretrained one.
    cfg.optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult = 0.25
    cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='RandomCrop', crop_size=(128, 128)))
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = str(data_root / 'dsifn')
        loader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = 5
    cfg.train_cfg.update(max_epochs=EPOCHS, val_interval=EPOCHS // 2)
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.interval = EPOCHS
    cfg.default_hooks.visualization.draw = True
    cfg.log_processor.window_size = 1
    cfg.update(work_dir=str(work), experiment_name='change_on_real_images')
    runner = Runner.from_cfg(cfg)
    runner.train()
    runner.test()
    return work


def scalars(work: Path) -> list[dict]:
    lines = next(work.glob('*/vis_data/scalars.json')).read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.slow
def test_the_loss_falls_by_half(run: Path) -> None:
    losses = [line['loss'] for line in scalars(run) if 'loss' in line]
    assert len(losses) == EPOCHS
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:2]), losses


@pytest.mark.slow
def test_the_best_checkpoint_is_that_of_the_highest_f1(run: Path) -> None:
    scores = [line['F1'] for line in scalars(run) if 'F1' in line]
    assert len(scores) == 2
    assert len(list(run.glob('best_F1_epoch_*.pth'))) == 1
    best = int(next(run.glob('best_F1_epoch_*.pth')).stem.split('_')[-1])
    assert scores[best // (EPOCHS // 2) - 1] == max(scores)


@pytest.mark.slow
def test_the_test_loop_scores_and_draws(run: Path) -> None:
    tested = next(path for path in run.glob('*/*.json') if 'kappa' in path.read_text())
    scores = json.loads(tested.read_text())
    assert {'precision', 'recall', 'F1', 'IoU', 'OA', 'kappa'} <= set(scores)
    assert scores['F1'] > 30
    pictures = list(run.glob('*/vis_data/vis_image/test_*.png'))
    assert len(pictures) == 1
    picture = cv2.imread(str(pictures[0]))
    assert picture.shape[0] >= 256
    assert picture.std() > 10
