"""Small real models of the four tasks, with random weights, as checkpoints that tools/train.py could have written."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

NORMALISE = dict(mean=[86.18235, 91.9275, 85.374], std=[34.6545, 34.476, 35.8785])
BACKBONE = dict(
    type='mmpretrain.ResNet',
    depth=18,
    stem_channels=8,
    base_channels=8,
    out_indices=(0, 1, 2, 3),
    init_cfg=dict(type='Pretrained', checkpoint='nowhere/missing.pth'),
)
LOAD = dict(type='LoadImageFromFile')


def head(num_classes: int, in_channels: int = 64) -> dict:
    return dict(
        type='FCNHead',
        in_channels=in_channels,
        in_index=3,
        channels=8,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.0,
        num_classes=num_classes,
        align_corners=False,
    )


def classification() -> dict:
    pipeline = [LOAD, dict(type='Resize', scale=(64, 64)), dict(type='PackInputs')]
    return dict(
        default_scope='mmpretrain',
        model=dict(
            type='ImageClassifier',
            data_preprocessor=dict(num_classes=3, to_rgb=True, **NORMALISE),
            backbone=dict(BACKBONE, out_indices=(3,)),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=3, in_channels=64),
        ),
        test_dataloader=dict(dataset=dict(type='CustomDataset', pipeline=pipeline)),
    )


def segmentation() -> dict:
    pipeline = [LOAD, dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    crop = dict(type='RandomCrop', crop_size=(64, 64))
    return dict(
        default_scope='mmseg',
        custom_imports=dict(imports=['cmid_mm', 'cmid_mm.with_mmseg']),
        model=dict(
            type='EncoderDecoder',
            data_preprocessor=dict(
                type='SegDataPreProcessor', bgr_to_rgb=True, test_cfg=dict(size_divisor=32), **NORMALISE
            ),
            backbone=BACKBONE,
            decode_head=head(4),
            test_cfg=dict(mode='whole'),
        ),
        train_dataloader=dict(dataset=dict(type='BaseSegDataset', pipeline=[LOAD, crop])),
        test_dataloader=dict(dataset=dict(type='BaseSegDataset', pipeline=pipeline)),
    )


def change() -> dict:
    cfg = segmentation()
    cfg['model'].update(
        type='TwoDateEncoderDecoder',
        join=dict(type='Concatenation'),
        decode_head=head(2, in_channels=128),
        data_preprocessor=dict(cfg['model']['data_preprocessor'], type='PairDataPreprocessor'),
    )
    cfg['test_dataloader']['dataset']['pipeline'] = [dict(type='LoadImagePair'), dict(type='PackSegInputs')]
    return cfg


def detection() -> dict:
    base = Config.fromfile(Path(__file__).resolve().parents[2] / 'configs/detection/oriented-rcnn_r18_scenes.py')
    few = dict(nms_pre=60, max_per_img=30)
    base.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(stem_channels=8, base_channels=8),
                neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
                rpn_head=dict(in_channels=16, feat_channels=16),
                roi_head=dict(
                    bbox_roi_extractor=dict(out_channels=16), bbox_head=dict(in_channels=16, fc_out_channels=16)
                ),
                test_cfg=dict(rpn=few, rcnn=dict(max_per_img=20)),
            )
        )
    )
    return base.to_dict()


TASKS = dict(classification=classification, segmentation=segmentation, detection=detection, change=change)
CLASSES = dict(
    classification=('field', 'forest', 'town'),
    segmentation=('ground', 'water', 'roof', 'road'),
    change=('unchanged', 'changed'),
    detection=('building', 'car', 'ship', 'plane', 'storage_tank', 'court', 'train'),
)


@pytest.fixture(scope='session')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Config, Path]]:
    """A function of a task's name that gives the config and the checkpoint of a model of it."""
    made = {}

    def _trained(task: str) -> tuple[Config, Path]:
        if task not in made:
            cfg = Config(TASKS[task]())
            scope = cfg.default_scope
            for module in cfg.get('custom_imports', {}).get('imports', ()):
                importlib.import_module(module)
            path = tmp_path_factory.mktemp(task) / 'epoch_1.pth'
            torch.manual_seed(0)
            with DefaultScope.overwrite_default_scope(scope):
                model = importlib.import_module(f'{scope}.registry').MODELS.build(Config(cfg.to_dict()).model)
            # Untrained running statistics would make all images look alike.
            for module in model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.running_var.fill_(0.1)
            # Boxes start with scores that differ by less than rounding does.
            for name, weights in model.named_parameters():
                if 'rpn_cls.weight' in name or 'fc_cls.weight' in name:
                    weights.data *= 100
            meta = dict(dataset_meta=dict(classes=CLASSES[task]))
            torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
            made[task] = cfg, path
        cfg, path = made[task]
        return Config(cfg.to_dict()), path

    return _trained
