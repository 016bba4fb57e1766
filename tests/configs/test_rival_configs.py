"""Every config of mmpretrain's algorithms builds, and trains on what CMID trains on, by recipes that fit its batch."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
METHODS = ('barlowtwins', 'byol', 'densecl', 'mae', 'mocov2', 'simclr', 'simmim', 'spark', 'swav')
RIVALS = sorted(path.relative_to(CONFIGS) for method in METHODS for path in CONFIGS.glob(f'{method}/*.py'))
DATA = dict(millionaid='data/millionaid/test', potsdam='data/potsdam/unlabelled', ucmerced='data/ucmerced')


def data_of(path: Path) -> str:
    return path.stem.rpartition('_')[2]


def test_every_method_has_both_recipes_and_a_small_one():
    for method in METHODS:
        found = {data_of(path) for path in RIVALS if path.parent.name == method}
        assert found == set(DATA), method
    names = {path.stem for path in RIVALS}
    for backbone in ('mae_vit-b', 'mae_vit-s', 'simmim_swin-b', 'simmim_swin-t'):
        assert {f'{backbone}_millionaid', f'{backbone}_potsdam'} <= names
    assert {'byol_swin-t_ucmerced', 'mocov2_swin-t_ucmerced', 'simmim_swin-t_ucmerced'} <= names


@pytest.mark.slow
@pytest.mark.parametrize('path', RIVALS, ids=str)
def test_every_config_builds_and_takes_a_batch(path, image_folder, tmp_path):
    cfg = Config.fromfile(CONFIGS / path)
    cfg.train_dataloader.dataset.update(data_root=str(image_folder), cache=str(tmp_path))
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False, batch_size=2)
    for hook in cfg.custom_hooks:
        HOOKS.build(hook)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    model.init_weights()
    model.train()
    data = model.data_preprocessor(next(iter(loader)), training=True)
    losses = model(**data, mode='loss')
    assert losses
    assert all(torch.isfinite(value) for value in losses.values())


@pytest.mark.parametrize('path', RIVALS, ids=str)
def test_terms_are_those_of_cmid(path):
    cfg, cmid = Config.fromfile(CONFIGS / path), Config.fromfile(CONFIGS / f'cmid/cmid_r50_{data_of(path)}.py')
    assert cfg.train_cfg.max_epochs == cmid.train_cfg.max_epochs
    loader, theirs = cfg.train_dataloader, cmid.train_dataloader
    for key in ('sampler', 'batch_sampler', 'collate_fn'):
        assert loader[key] == theirs[key]
    assert (loader.dataset.type, loader.dataset.data_root) == ('UnlabelledImages', DATA[data_of(path)])
    assert loader.dataset.pipeline[0].type == 'LoadAerialImage'
    assert (cfg.data_preprocessor.mean, cfg.data_preprocessor.std) == (
        cmid.data_preprocessor.mean,
        cmid.data_preprocessor.std,
    )
    hooks = {hook.type for hook in cfg.custom_hooks}
    assert {hook.type for hook in cmid.custom_hooks} - hooks == {'TeacherHook'}
    assert 'FitToDatasetHook' in hooks
    # The learning rate is that of 8 processes, or of one for UC Merced.
    processes = 1 if data_of(path) == 'ucmerced' else 8
    assert processes * loader.batch_size == cfg.auto_scale_lr.base_batch_size


def steps_of(pipeline: list) -> list[dict]:
    steps = []
    for step in pipeline:
        steps += [inner for view in step.views for inner in view] if step.type == 'TwoViews' else [step]
    return steps


@pytest.mark.parametrize('path', RIVALS, ids=str)
def test_views_are_of_images_from_above(path):
    pipeline = Config.fromfile(CONFIGS / path).train_dataloader.dataset.pipeline
    steps = steps_of(pipeline)
    crops = [step for step in steps if step.type == 'RandomResizedCropWithPositions']
    flips = [step for step in steps if step.type == 'RandomFlip']
    # Left and right, top and bottom, both, neither: a quarter of the views each.
    assert len(flips) == len(crops)
    assert all(flip.prob == [0.25] * 3 for flip in flips)
    assert all(flip.direction == ['horizontal', 'vertical', 'diagonal'] for flip in flips)
    assert not [step for step in steps if step.type == 'Solarize']
    # No crop is enlarged because the file was decoded at a reduced scale.
    loading = pipeline[0]
    for crop in crops:
        assert loading.crop_size / loading.min_area**0.5 >= crop.size / crop.crop_ratio_range[0] ** 0.5


@pytest.mark.parametrize(
    ('path', 'images'),
    [(path, 5472) for path in RIVALS if data_of(path) == 'potsdam']
    + [(path, 2100) for path in RIVALS if data_of(path) == 'ucmerced']
    + [(path, 990_848) for path in RIVALS if data_of(path) == 'millionaid'],
    ids=str,
)
def test_queues_fit_the_data_set_and_the_batch(path, images):
    cfg = Config.fromfile(CONFIGS / path)
    lengths = [hook.queue_length for hook in cfg.custom_hooks if 'queue_length' in hook]
    lengths += [cfg.model.queue_len] if 'queue_len' in cfg.model else []
    assert len(lengths) == (path.parent.name in ('mocov2', 'densecl', 'swav'))
    for length in lengths:
        assert 0 < length <= images
        assert length % cfg.auto_scale_lr.base_batch_size == 0
