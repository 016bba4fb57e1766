"""Every config of CMID builds, the recipes are those of the paper, and the README lists all configs."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
EVERY = sorted(path.relative_to(CONFIGS) for path in CONFIGS.glob('*/*.py') if path.parent.name != '_base_')
# test_rival_configs.py and test_task_configs.py look at the others.
PRETRAINING = [path for path in EVERY if path.parent.name == 'cmid']


@pytest.fixture
def build(image_folder, tmp_path):
    """Build all that a config names except the runner's logging, on a folder of a few images."""

    def _build(cfg: Config):
        cfg.train_dataloader.dataset.update(data_root=str(image_folder), cache=str(tmp_path))
        cfg.train_dataloader.update(num_workers=0, persistent_workers=False, batch_size=2)
        # Random weights of the right shapes are enough, and a queue of 65536 keys is slow to draw.
        cfg.model.global_head.queue_size = 16
        model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor})
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
        for hook in cfg.custom_hooks:
            HOOKS.build(hook)
        return model, optimizer, Runner.build_dataloader(cfg.train_dataloader, seed=0)

    return _build


@pytest.mark.slow
@pytest.mark.parametrize('path', PRETRAINING, ids=str)
def test_every_config_builds_and_takes_a_batch(path, build):
    model, optimizer, loader = build(Config.fromfile(CONFIGS / path))
    model.train()
    model.set_max_steps(10)
    data = model.data_preprocessor(next(iter(loader)), training=True)
    losses = model(**data, mode='loss')
    assert set(losses) == {'loss_spatial', 'loss_frequency', 'loss_global', 'loss_local'}
    assert all(torch.isfinite(value) for value in losses.values())
    assert [group['weight_decay'] for group in optimizer.optimizer.param_groups] == [0.02, 0.0]


def test_the_readme_lists_every_config(repo):
    text = (repo / 'README.md').read_text()
    for path in EVERY:
        assert f'[{path.stem}](configs/{path.as_posix()})' in text, f'the README has no row for configs/{path}'


def test_every_config_is_found():
    assert {'cmid_r50_millionaid.py', 'cmid_swin-b_millionaid.py', 'cmid_r50_potsdam.py', 'cmid_swin-b_potsdam.py'} <= {
        path.name for path in PRETRAINING
    }


@pytest.mark.parametrize(
    ('name', 'epochs'),
    [('r50_millionaid', 200), ('swin-b_millionaid', 200), ('r50_potsdam', 400), ('swin-b_potsdam', 400)],
)
def test_the_recipe_is_the_paper_s(name, epochs):
    cfg = Config.fromfile(CONFIGS / f'cmid/cmid_{name}.py')
    assert cfg.train_cfg.max_epochs == epochs
    # 8 processes as in the README's command: 256 images a step and 1e-3 for each of the paper's 4 processes.
    assert 8 * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 256
    assert cfg.optim_wrapper.optimizer == dict(
        type='Adan', lr=4e-3, betas=(0.98, 0.92, 0.99), eps=1e-8, weight_decay=0.02
    )
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.end, warm_up.start_factor, cosine.begin, cosine.eta_min) == (10, 0.01, 10, 1e-6)
    assert cfg.model.global_head.queue_size == 65536
    assert cfg.model.local_head.num_matches == 20
    assert cfg.model.local_head.projector.with_norm == ('r50' in name)


def test_a_new_experiment_takes_five_lines(repo, tmp_path, build):
    """The README's example: another backbone, other images, other epochs."""
    text = (repo / 'README.md').read_text()
    example = text.split('```python\n# my_experiment.py\n')[1].split('```')[0]
    lines = [line for line in example.splitlines() if line.strip()]
    assert len(lines) <= 5
    config = tmp_path / 'my_experiment.py'
    config.write_text(example.replace('configs/', f'{CONFIGS}/'))
    cfg = Config.fromfile(config)
    original = Config.fromfile(CONFIGS / 'cmid/cmid_r50_millionaid.py')
    assert cfg.model.backbone.type != original.model.backbone.type
    assert cfg.train_dataloader.dataset.data_root != original.train_dataloader.dataset.data_root
    assert cfg.train_cfg.max_epochs != original.train_cfg.max_epochs

    build(cfg)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(size=100), 'multiple'),
        (dict(crop_ratio_range=(0.0, 1.0)), 'crop_ratio_range'),
    ],
)
def test_a_view_that_does_not_fit_stops_at_build_time(tiny_config, build, change, message):
    tiny_config.train_dataloader.dataset.pipeline[1].views[0][0].update(change)
    with pytest.raises(ValueError, match=message):
        build(tiny_config)
