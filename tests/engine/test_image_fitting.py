"""One rule fits every method to the images and to the budget."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from cmid_mm.engine.image_fitting import fit_to_images
from cmid_mm.engine.short_run import fit_to_short_run

METHODS = ('cmid', 'byol', 'mocov2', 'densecl', 'swav', 'simclr', 'barlowtwins', 'spark')


@pytest.fixture(scope='module')
def config_of(pytestconfig):
    read = {
        method: Config.fromfile(pytestconfig.rootpath / f'configs/{method}/{method}_r18_ucmerced.py')
        for method in METHODS
    }
    return lambda method: copy.deepcopy(read[method])


def fitted(cfg: Config, images: int, batch: int, epochs: int) -> Config:
    fit_to_images(cfg, 'folder', 'list.txt', images, batch, 'sqrt')
    fit_to_short_run(cfg, images // batch, epochs)
    return cfg


@settings(max_examples=12, deadline=None)
@given(images=st.integers(64, 3000), batch=st.integers(2, 64), epochs=st.integers(1, 300))
def test_all_methods_get_one_schedule_and_queues_that_fit(config_of, images, batch, epochs):
    schedules = []
    for method in METHODS:
        former = config_of(method)
        cfg = fitted(config_of(method), images, batch, epochs)
        schedules.append((cfg.param_scheduler, cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size))
        assert cfg.train_dataloader.dataset.list_file == 'list.txt'
        factor = (batch / former.auto_scale_lr.base_batch_size) ** 0.5
        assert cfg.optim_wrapper.optimizer.lr == pytest.approx(former.optim_wrapper.optimizer.lr * factor)
        for hook in cfg.custom_hooks:
            if 'queue_length' in hook:
                assert hook.queue_length <= images
                assert hook.queue_length % batch == 0
        if 'queue_len' in cfg.model:
            assert 0 < cfg.model.queue_len <= images
            assert cfg.model.queue_len % batch == 0
        if method == 'cmid':
            assert cfg.model.global_head.queue_size == min(1024, images)
    assert all(schedule == schedules[0] for schedule in schedules)


def test_momentum_encoders_of_a_short_run_remember_half_of_it(config_of):
    kept = []
    for method, name in (('cmid', 'base_momentum'), ('byol', 'base_momentum'), ('mocov2', 'momentum')):
        value = fitted(config_of(method), images=400, batch=4, epochs=1).model[name]
        # mmpretrain counts the share of the new weights.
        kept.append(value if method == 'cmid' else 1 - value)
    assert kept == pytest.approx([0.98] * 3)
    # A long run keeps what the configs say.
    assert fitted(config_of('mocov2'), images=2000, batch=4, epochs=200).model.momentum == 0.001
    assert fitted(config_of('byol'), images=2000, batch=4, epochs=200).model.base_momentum == 0.01


def test_what_cannot_be_fitted_is_said(config_of):
    with pytest.raises(ValueError, match='leaves 10 images to train on, fewer than a batch of 16'):
        fit_to_images(config_of('cmid'), 'folder', 'list.txt', 10, 16)
    cfg = config_of('cmid')
    cfg.train_dataloader.dataset.type = 'CustomDataset'
    with pytest.raises(ValueError, match="'CustomDataset'; methods are compared on type='UnlabelledImages'"):
        fit_to_images(cfg, 'folder', 'list.txt', 100, 16)
