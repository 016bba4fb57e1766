"""A pretrained ResNet-18 learns the real oriented boxes of DOTA, is scored, drawn, and writes a submission."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.ops import box_iou_rotated
from mmengine.config import Config
from mmengine.runner import Runner
from mmrotate.datasets import DOTADataset
from mmrotate.structures.bbox import qbox2rbox
from PIL import Image

from cmid_mm.engine.short_run import use_fast_precision

ITERATIONS = 100
SIZE = (1024, 1024)
CROP = (256, 256)


@pytest.fixture(scope='module')
def cfg(repo: Path, data_root: Path, extracted_r18: Path, tmp_path_factory) -> Config:
    """The small detector of the drawn scenes on the five training images of DOTA, which it is tested on as well."""
    cfg = Config.fromfile(repo / 'configs/detection/oriented-rcnn_r18_scenes.py')
    cfg.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(init_cfg=dict(checkpoint=str(extracted_r18))),
                rpn_head=dict(anchor_generator=dict(scales=[6])),
                roi_head=dict(bbox_head=dict(num_classes=15)),
                # One image has more than 300 ships.
                test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=1000), rcnn=dict(max_per_img=1000)),
            ),
            default_hooks=dict(
                logger=dict(interval=5),
                checkpoint=dict(by_epoch=False, interval=ITERATIONS),
                visualization=dict(draw=True, interval=1),
            ),
            log_processor=dict(by_epoch=False, window_size=5),
            work_dir=str(tmp_path_factory.mktemp('dota')),
        )
    )
    cfg.param_scheduler = [
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=10),
        dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=False, begin=10, end=ITERATIONS),
    ]
    cfg.optim_wrapper.optimizer.lr = 1e-3
    cfg.train_cfg = dict(by_epoch=False, max_iters=ITERATIONS)
    cfg.update(val_cfg=None, val_dataloader=None, val_evaluator=None)
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False, batch_size=1)
        loader.dataset.update(
            data_root=str(data_root / 'dota'),
            ann_file='train/labelTxt',
            data_prefix=dict(img_path='train/images'),
            img_suffix='jpg',
            metainfo=DOTADataset.METAINFO,
            diff_thr=100,
        )
        for step in loader.dataset.pipeline:
            if step.type == 'mmdet.Resize':
                step.scale = SIZE
    # Whole images hold ships of a few pixels, or take minutes: crops of them at full size.
    cfg.train_dataloader.batch_size = 4
    cfg.train_dataloader.dataset.pipeline.insert(4, dict(type='mmdet.RandomCrop', crop_size=CROP))
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    use_fast_precision(cfg)
    return cfg


@pytest.fixture(scope='module')
def trained(cfg: Config) -> tuple[Path, dict[str, float]]:
    """The folder of a run that has trained and tested, and its scores."""
    runner = Runner.from_cfg(Config(dict(cfg, experiment_name='train')))
    runner.train()
    return Path(runner.work_dir), runner.test()


@pytest.mark.slow
def test_the_loss_halves(trained: tuple[Path, dict[str, float]]) -> None:
    [scalars] = trained[0].glob('*/vis_data/scalars.json')
    losses = [entry['loss'] for entry in map(json.loads, scalars.read_text().splitlines()) if 'loss' in entry]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-3:]) <= 0.5 * np.mean(losses[:2])


@pytest.mark.slow
def test_the_test_loop_scores_and_draws(trained: tuple[Path, dict[str, float]]) -> None:
    work_dir, scores = trained
    [log] = work_dir.glob('*/*.log')
    assert re.search(r'dota/mAP: \d\.\d+', log.read_text())
    # Of the images that it learned from, as in DOTA's recipe. Most boxes are ships, one of seven classes, and 100
    # iterations find some of them (measured: 0.017).
    assert scores['dota/mAP'] > 0.01
    pictures = sorted(work_dir.glob('*/vis_data/vis_image/*.png'))
    assert len(pictures) == 5
    for picture in pictures:
        assert np.asarray(Image.open(picture)).std() > 5


@pytest.fixture(scope='module')
def tiles(data_root: Path, tmp_path_factory) -> Path:
    """P0706, of 1111 x 1182 pixels, in four tiles of 1024 that overlap."""
    folder = tmp_path_factory.mktemp('tiles')
    with Image.open(data_root / 'dota/train/images/P0706.jpg') as image:
        for left in (0, 87):
            for top in (0, 158):
                image.crop((left, top, left + 1024, top + 1024)).save(folder / f'P0706__1024__{left}___{top}.png')
    return folder


@pytest.mark.slow
def test_tiles_are_merged_to_a_submission(
    trained: tuple[Path, dict[str, float]], cfg: Config, tiles: Path, repo: Path, data_root: Path, tmp_path: Path
) -> None:
    submission = Config.fromfile(repo / 'configs/detection/oriented-rcnn_r50_dota-submission.py')
    loader = submission.test_dataloader
    loader.update(num_workers=0, persistent_workers=False)
    loader.dataset.update(data_root='', data_prefix=dict(img_path=str(tiles)))
    submission.model = cfg.model
    submission.model.backbone.init_cfg = None
    submission.test_evaluator.out = str(tmp_path / 'Task1')
    submission.update(
        work_dir=str(tmp_path / 'work'),
        load_from=str(trained[0] / f'iter_{ITERATIONS}.pth'),
        experiment_name='submission',
    )
    Runner.from_cfg(submission).test()

    with zipfile.ZipFile(tmp_path / 'Task1/Task1.zip') as archive:
        assert sorted(archive.namelist()) == sorted(f'Task1_{name}.txt' for name in DOTADataset.METAINFO['classes'])
        lines = [line.split() for line in archive.read('Task1_ship.txt').decode().splitlines()]
    assert {words[0] for words in lines} == {'P0706'}
    assert all(len(words) == 10 and 0 <= float(words[1]) <= 1 for words in lines)
    found = _boxes([words[2:] for words in lines])
    labels = (data_root / 'dota/train/labelTxt/P0706.txt').read_text().splitlines()[2:]
    real = _boxes([line.split()[:8] for line in labels])
    # In the pixels of the whole image, and once each although tiles overlap.
    matched = box_iou_rotated(found, real).amax(dim=1) > 0.5
    assert matched.sum() >= 5
    overlaps = box_iou_rotated(found, found).fill_diagonal_(0)
    assert overlaps.max() <= 0.11


def _boxes(rows: list[list[str]]) -> torch.Tensor:
    return qbox2rbox(torch.tensor([[float(value) for value in row] for row in rows]))
