"""Every config of a task builds, follows its recipe, and gives the features of the pretrained backbone."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, MODELS, init_default_scope
from mmpretrain.registry import MODELS as PRETRAIN_MODELS

from cmid_mm.checkpoints import extract_backbone
from cmid_mm.datasets.scenes import BOX_CLASSES, MASK_CLASSES, MASK_PALETTE, SCENE_CLASSES

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
TASKS = ('classification', 'segmentation', 'detection', 'change_detection')
PATHS = sorted(path.relative_to(CONFIGS) for task in TASKS for path in (CONFIGS / task).glob('*.py'))
# One config of each task and of each of the paper's backbones.
OF_EACH_TASK = {
    backbone: [
        f'classification/classifier_{backbone}_ucm.py',
        f'segmentation/upernet_{backbone}_potsdam.py',
        f'detection/oriented-rcnn_{backbone}_dota.py',
        f'change_detection/bit_{backbone}_cdd.py',
    ]
    for backbone in ('r50', 'swin-b')
}


def build(cfg: Config):
    """Build the model in the scope of its config."""
    init_default_scope(cfg.default_scope)
    return MODELS.build(dict(cfg.model))


@pytest.mark.slow
@pytest.mark.parametrize('path', PATHS, ids=str)
def test_every_config_builds(path):
    cfg = Config.fromfile(CONFIGS / path)
    model = build(cfg)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    trained = {id(value) for group in optimizer.optimizer.param_groups for value in group['params']}
    assert {id(value) for value in model.parameters() if value.requires_grad} <= trained
    for hook in [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]:
        if 'Visualization' not in hook.type:  # these need a runner's visualizer
            HOOKS.build(dict(hook))


@pytest.mark.parametrize('path', PATHS, ids=str)
def test_the_backbone_is_a_class_of_mmpretrain_that_loads_strictly(path):
    backbone = Config.fromfile(CONFIGS / path).model.backbone
    assert backbone.type in ('mmpretrain.ResNet', 'mmpretrain.SwinTransformer')
    assert backbone.init_cfg.type == 'Pretrained'


def test_another_pretrained_backbone_is_one_line(tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text(
        f"_base_ = '{CONFIGS}/segmentation/upernet_r50_potsdam.py'\n"
        "model = dict(backbone=dict(init_cfg=dict(checkpoint='my_backbone.safetensors')))\n"
    )
    assert Config.fromfile(config).model.backbone.init_cfg == dict(
        type='Pretrained', checkpoint='my_backbone.safetensors'
    )


def test_the_scenes_classes_are_those_that_are_drawn():
    def read(path):
        return Config.fromfile(CONFIGS / path)

    assert read('classification/classifier_r18_scenes.py').model.head.num_classes == len(SCENE_CLASSES)
    masks = read('segmentation/upernet_r18_scenes.py').train_dataloader.dataset.metainfo
    assert tuple(masks.classes) == MASK_CLASSES
    assert [tuple(colour) for colour in masks.palette] == list(MASK_PALETTE)
    boxes = read('detection/oriented-rcnn_r18_scenes.py').train_dataloader.dataset
    assert {*boxes.metainfo.classes, *boxes.left_out} == set(BOX_CLASSES)


@pytest.mark.slow
@pytest.mark.parametrize('backbone', OF_EACH_TASK)
def test_one_image_gives_the_same_four_maps_in_the_student_the_file_and_the_tasks(backbone, tmp_path):
    """No weight is lost on the way from a pretraining checkpoint to any of the four tasks."""
    pretraining = Config.fromfile(CONFIGS / f'cmid/cmid_{backbone}_millionaid.py')
    pretraining.model.global_head.queue_size = 16
    pretraining.model.backbone.out_indices = (0, 1, 2, 3)
    torch.manual_seed(0)
    student = PRETRAIN_MODELS.build(dict(pretraining.model))
    for name, value in student.backbone.named_parameters():
        if name != 'mask_token':
            torch.nn.init.normal_(value, std=0.05)  # biases and norms of no layer are at their start
    trained = tmp_path / 'epoch_200.pth'
    torch.save(
        dict(state_dict=student.state_dict(), meta=dict(cfg=pretraining.pretty_text, epoch=200, iter=1)), trained
    )
    file = extract_backbone(trained, tmp_path / 'backbone.safetensors')

    image = torch.randn(1, 3, 224, 224)
    student.eval()
    with torch.no_grad():
        expected = student.backbone(image)
    assert len(expected) == 4
    del student
    for path in OF_EACH_TASK[backbone]:
        cfg = Config.fromfile(CONFIGS / path)
        cfg.model.backbone.out_indices = (0, 1, 2, 3)
        cfg.model.backbone.init_cfg.checkpoint = str(file)
        model = build(cfg)
        model.init_weights()
        model.eval()
        with torch.no_grad():
            maps = model.backbone(image)
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(maps, expected, strict=True)), path


@pytest.mark.slow
@pytest.mark.parametrize(
    'path', [path for path in PATHS if '_r50_' in path.name and 'submission' not in path.name], ids=str
)
def test_the_wrong_depth_stops_every_task(path, tmp_path):
    file = tmp_path / 'r18.pth'
    torch.save(dict(state_dict=PRETRAIN_MODELS.build(dict(type='ResNet', depth=18)).state_dict()), file)
    cfg = Config.fromfile(CONFIGS / path)
    cfg.model.backbone.init_cfg.checkpoint = str(file)
    model = build(cfg)
    with pytest.raises(RuntimeError, match=r'r18.pth does not fit this ResNet.*make the depth, width and stages'):
        model.init_weights()


@pytest.mark.parametrize(
    ('path', 'optimizer', 'epochs', 'batch', 'drop_path'),
    [
        ('classification/classifier_r50_ucm.py', dict(type='Adan', lr=3.125e-3, weight_decay=0.02), 200, 16, None),
        ('classification/classifier_swin-b_ucm.py', dict(type='Adan', lr=3.125e-3, weight_decay=0.02), 200, 16, 0.5),
        ('segmentation/upernet_r50_potsdam.py', dict(type='SGD', lr=0.01), 50, 8, None),
        ('segmentation/upernet_r50_vaihingen.py', dict(type='SGD', lr=0.01), 50, 8, None),
        ('segmentation/upernet_swin-b_potsdam.py', dict(type='AdamW', lr=6e-5), 50, 8, 0.3),
        ('segmentation/upernet_swin-b_vaihingen.py', dict(type='AdamW', lr=6e-5), 50, 8, 0.3),
        ('detection/oriented-rcnn_r50_dota.py', dict(type='SGD', lr=0.005), 12, 2, None),
        ('detection/oriented-rcnn_swin-b_dota.py', dict(type='AdamW', lr=1e-4, weight_decay=0.05), 12, 2, 0.3),
        ('change_detection/bit_r50_cdd.py', dict(type='SGD', lr=0.002, momentum=0.99, weight_decay=5e-4), 200, 8, None),
        ('change_detection/bit_swin-b_cdd.py', dict(type='AdamW', lr=6e-5, weight_decay=0.01), 200, 8, 0.3),
    ],
)
def test_the_recipes_are_the_paper_s(path, optimizer, epochs, batch, drop_path):
    cfg = Config.fromfile(CONFIGS / path)
    assert optimizer.items() <= dict(cfg.optim_wrapper.optimizer).items()
    assert cfg.train_cfg.max_epochs == epochs
    assert cfg.train_dataloader.batch_size == batch == cfg.auto_scale_lr.base_batch_size
    assert cfg.model.backbone.get('drop_path_rate') == drop_path
