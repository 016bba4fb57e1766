"""Configs of oriented detection: the recipe, what stays frozen, mixed precision, and boxes through the pipelines."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmrotate.registry import DATASETS, MODELS
from PIL import Image
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

import cmid_mm.with_mmrotate  # noqa: F401

FOLDER = Path(__file__).resolve().parents[2] / 'configs/detection'
SIZE = 96


def config(name: str) -> Config:
    return Config.fromfile(FOLDER / f'oriented-rcnn_{name}.py')


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two bright planes on dark ground, in DOTA's layout."""
    generator = np.random.default_rng(0)
    for index in range(2):
        pixels = generator.integers(0, 60, (SIZE, SIZE, 3), dtype=np.uint8)
        pixels[30:50, 20:60] = 255
        for split in ('trainval', 'train', 'val'):
            for folder in ('images', 'labelTxt'):
                (tmp_path / split / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / split / f'images/{index}.png')
            (tmp_path / split / f'labelTxt/{index}.txt').write_text('20 30 60 30 60 50 20 50 plane 0\n')
    return tmp_path


@pytest.fixture
def build(images: Path) -> Callable[[str], tuple[nn.Module, OptimWrapper, dict]]:
    """Model, optimizer and a batch of a config, whose images are small and whose weights are random."""

    def _build(name: str, **optim_wrapper) -> tuple[nn.Module, OptimWrapper, dict]:
        cfg = config(name)
        init_default_scope('mmrotate')
        cfg.model.backbone.init_cfg = None
        loader = cfg.train_dataloader
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        loader.dataset.data_root = str(images)
        for step in loader.dataset.pipeline:
            if step.type == 'mmdet.Resize':
                step.scale = (224, 224) if 'swin' in name else (SIZE, SIZE)  # Swin's windows need it
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        model.init_weights()
        wrapper = build_optim_wrapper(model, {**cfg.optim_wrapper, **optim_wrapper})
        return model.train(), wrapper, next(iter(Runner.build_dataloader(loader, seed=0)))

    return _build


def copy_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize('part', ['neck', 'rpn_head', 'roi_head', 'train_cfg', 'test_cfg'])
def test_the_detector_is_mmrotate_s(part: str) -> None:
    theirs = get_config('mmrotate::oriented_rcnn/oriented-rcnn-le90_r50_fpn_1x_dota.py').model[part]
    ours = config('r50_dota').model[part]
    for name in ('FPN', 'OrientedRPNHead'):
        if ours.get('type') == f'FullPrecision{name}':
            theirs.type = ours.type
    assert ours == theirs


@pytest.mark.parametrize('name', ['r50_dota', 'swin-b_dota', 'r50_dota-ms', 'r50_dota-submission'])
def test_the_recipe_is_the_paper_s(name: str) -> None:
    cfg = config(name)
    assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size) == (12, 2)
    warm_up, steps = cfg.param_scheduler
    assert (warm_up.start_factor, warm_up.end, warm_up.by_epoch) == (pytest.approx(1 / 3), 500, False)
    assert (steps.milestones, steps.gamma) == ([8, 11], 0.1)
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=35)
    optimizer, backbone = cfg.optim_wrapper.optimizer, cfg.model.backbone
    if 'swin' in name:
        assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('AdamW', 1e-4, 0.05)
        assert backbone.drop_path_rate == 0.3
    else:
        assert (optimizer.type, optimizer.lr) == ('SGD', 0.005)
        assert (backbone.frozen_stages, backbone.norm_eval) == (1, True)
    scales = [step.scale for step in cfg.train_dataloader.dataset.pipeline if step.type == 'mmdet.Resize']
    assert scales == [(1024, 1024)]
    assert cfg.val_evaluator.iou_thrs == 0.5


@pytest.mark.slow
def test_the_first_stage_and_batch_norms_stand_still(build) -> None:
    model, optimizer, batch = build('r50_dota')
    backbone = model.backbone
    norms = [module for module in backbone.modules() if isinstance(module, _BatchNorm)]
    assert norms
    assert not any(norm.training for norm in norms)
    before = copy_of(model)
    for _ in range(2):
        model.train_step(batch, optimizer)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    frozen = ('backbone.conv1', 'backbone.bn1', 'backbone.layer1')
    assert not [name for name in changed if name.startswith(frozen) or 'running' in name or 'num_batches' in name]
    # The rest learns, batch norms' own weights included.
    weights = {name for name, _ in model.named_parameters() if not name.startswith(frozen)}
    assert {name for name in weights if 'conv' in name or 'bn' in name} <= changed


@pytest.mark.slow
def test_swin_decays_neither_norms_nor_biases_nor_relative_positions(build) -> None:
    model, optimizer, batch = build('swin-b_dota')
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decays = {}
    for group in optimizer.optimizer.param_groups:
        decays.update({names[id(parameter)]: group['weight_decay'] for parameter in group['params']})
    exempt = {name for name, decay in decays.items() if decay == 0}
    assert exempt == {
        name for name in decays if name.endswith('bias') or 'norm' in name or 'relative_position_bias_table' in name
    }
    assert {decay for name, decay in decays.items() if name not in exempt} == {0.05}
    before = copy_of(model)
    assert all(torch.isfinite(value) for value in model.train_step(batch, optimizer).values())
    # Each of the four maps is used.
    for index in range(4):
        assert not torch.equal(
            model.state_dict()[f'backbone.norm{index}.weight'], before[f'backbone.norm{index}.weight']
        )


@pytest.mark.slow
def test_bfloat16_on_a_cpu(build) -> None:
    losses, dtypes = {}, set()
    for kind in ('OptimWrapper', 'CPUAmpOptimWrapper'):
        model, optimizer, batch = build('r18_scenes', type=kind)
        if kind == 'CPUAmpOptimWrapper':
            model.roi_head.bbox_head.fc_cls.register_forward_hook(lambda _, args, output: dtypes.add(output.dtype))
        torch.manual_seed(0)
        before = copy_of(model)
        losses[kind] = {name: value.item() for name, value in model.train_step(batch, optimizer).items()}
        assert not torch.equal(model.state_dict()['backbone.conv1.weight'], before['backbone.conv1.weight'])
        assert all(value.isfinite().all() for value in model.state_dict().values())
    assert dtypes == {torch.bfloat16}
    full, half = losses.values()
    assert half['loss'] == pytest.approx(full['loss'], rel=0.05)


def test_boxes_turn_with_their_images(images: Path) -> None:
    init_default_scope('mmrotate')
    dataset = config('r50_dota-ms').train_dataloader.dataset
    dataset.data_root = str(images)
    dataset.pipeline[3].scale = (2 * SIZE, 2 * SIZE)
    built = DATASETS.build(dataset)
    angles = set()
    np.random.seed(0)
    for _ in range(12):
        sample = built[0]
        pixels = sample['inputs'].float().mean(0).numpy()
        [[x, y, width, height, angle]] = sample['data_samples'].gt_instances.bboxes.tensor.tolist()
        angles.add(round(angle, 2))
        assert sorted((width, height)) == pytest.approx([40, 80], abs=1)
        rows, columns = np.nonzero(pixels > 200)
        # The bright plane's centre is the box's.
        assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((x, y), abs=1.5)
    assert any(0.1 < angle % (np.pi / 2) < 1.4 for angle in angles)
