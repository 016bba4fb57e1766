"""mmpretrain's algorithms learn from aerial images under this package's configs, and tasks take their backbones."""

from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from cmid_mm.checkpoints import extract_backbone, load_checkpoint

RESNET = {'model.backbone.stem_channels': 16, 'model.backbone.base_channels': 16}
SWIN = {'model.backbone.arch': dict(_delete_=True, embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2])}
PROJECTOR = {'model.neck.in_channels': 128, 'model.neck.hid_channels': 64}
SWIN_PROJECTOR = {'model.neck.in_channels': 192, 'model.neck.hid_channels': 64}
PREDICTOR = {'model.head.predictor.hid_channels': 64}
# What makes each network small enough for a test.
SMALL = {
    'byol_r18': RESNET | PROJECTOR | PREDICTOR,
    'byol_swin-t': SWIN | SWIN_PROJECTOR | PREDICTOR,
    'barlowtwins_r18': RESNET | PROJECTOR | {'model.neck.out_channels': 64, 'model.head.in_channels': 64},
    'mocov2_r18': RESNET | PROJECTOR | {'model.queue_len': 64},
    'mocov2_swin-t': SWIN | SWIN_PROJECTOR | {'model.queue_len': 64},
    'densecl_r18': RESNET | PROJECTOR | {'model.queue_len': 64},
    'simclr_r18': RESNET | PROJECTOR,
    'swav_r18': RESNET | PROJECTOR | {'model.head.loss.num_prototypes': 16, 'custom_hooks.3.queue_length': 32},
    'mae_vit-t': {
        'model.backbone.arch': dict(_delete_=True, embed_dims=64, num_layers=2, num_heads=2, feedforward_channels=128),
        'model.neck.embed_dim': 64,
        'model.neck.decoder_depth': 1,
    },
    'simmim_swin-t': SWIN | {'model.neck.in_channels': 192},
    'spark_r18': RESNET | {'model.enc_dec_norm_dim': 128, 'model.neck.feature_dim': 64},
}
RUN = count()  # two runs of one second and one name would share a log


def small_config(repo: Path, name: str) -> Config:
    cfg = Config.fromfile(repo / f'configs/{name.split("_")[0]}/{name}_ucmerced.py')
    cfg.merge_from_dict(SMALL[name])
    return cfg


@pytest.fixture
def train(repo, data_root, tmp_path):
    """Train a small network on 64 real scenes; return the runner and the losses of its steps."""

    def _train(name: str, epochs: int = 4, **changes) -> tuple[Runner, np.ndarray]:
        cfg = small_config(repo, name)
        cfg.train_dataloader.update(batch_size=16, num_workers=0, persistent_workers=False, pin_memory=False)
        cfg.train_dataloader.dataset.update(
            data_root=str(data_root / 'ucmerced'), indices=list(range(0, 1536, 24)), cache=str(tmp_path / 'index')
        )
        cfg.train_cfg.max_epochs = epochs
        cfg.param_scheduler = []  # the warm-up is longer than this run
        cfg.update(work_dir=str(tmp_path / 'work'), experiment_name=f'{name} {next(RUN)}')
        cfg.merge_from_dict(changes)
        runner = Runner.from_cfg(cfg)
        runner.train()
        return runner, runner.message_hub.get_scalar('train/loss').data[0]

    return _train


@pytest.mark.slow
@pytest.mark.parametrize('name', SMALL)
def test_the_loss_falls_on_real_scenes_and_the_backbone_comes_out(name, train, tmp_path):
    runner, losses = train(name, epochs=6)
    # The first epoch fills the queues and leaves the prototypes alone.
    epochs = losses.reshape(6, -1).mean(axis=1)
    assert np.isfinite(losses).all()
    assert epochs[-1] < epochs[1] < np.inf, epochs
    out = extract_backbone(tmp_path / 'work/epoch_6.pth', tmp_path / 'backbone.pth', image_size=96)
    loaded = load_checkpoint(out)
    plain = MODELS.build(dict(loaded['meta']['backbone']))
    plain.load_state_dict(loaded['state_dict'], strict=True)
    plain.eval()
    maps = plain(torch.randn(2, 3, 96, 96))
    assert maps[-1].dim() == 4
    trained = runner.model.backbone.state_dict()
    assert all(torch.equal(value, trained[key]) for key, value in loaded['state_dict'].items())


TASK_BACKBONES = {
    'byol/byol_r50_millionaid': 'r50',
    'barlowtwins/barlowtwins_r50_millionaid': 'r50',
    'mocov2/mocov2_r50_potsdam': 'r50',
    'densecl/densecl_r50_potsdam': 'r50',
    'simclr/simclr_r50_millionaid': 'r50',
    'swav/swav_r50_potsdam': 'r50',
    'spark/spark_r50_millionaid': 'r50',
    'spark/spark_r18_ucmerced': 'r18',
    'simmim/simmim_swin-b_millionaid': 'swin-b',
}


@pytest.mark.slow
@pytest.mark.parametrize('path', TASK_BACKBONES, ids=str)
def test_tasks_load_the_backbone_where_they_load_cmid_s(path, repo, tmp_path):
    """Into the backbone of every classification, segmentation, detection and change config, all weights or none."""
    cfg = Config.fromfile(repo / f'configs/{path}.py')
    backbone = MODELS.build(cfg.model.backbone)
    backbone.init_weights()
    state = {f'backbone.{name}': value for name, value in backbone.state_dict().items()}
    torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict=state), tmp_path / 'epoch_1.pth')
    out = extract_backbone(tmp_path / 'epoch_1.pth', tmp_path / 'backbone.safetensors')

    task = Config.fromfile(repo / f'configs/_base_/backbones/{TASK_BACKBONES[path]}.py').backbone
    task.init_cfg.checkpoint = str(out)
    loaded = MODELS.build(task)
    loaded.init_weights()
    extracted = load_checkpoint(out)['state_dict']
    assert extracted.keys() <= loaded.state_dict().keys()
    for name, value in loaded.state_dict().items():
        if name.startswith(tuple(task.init_cfg.get('untrained', ()))):
            continue  # the norms of the first maps begin with the task
        assert torch.equal(value, extracted[name]), name


def test_a_vision_transformer_of_mae_classifies(repo, tmp_path):
    cfg = small_config(repo, 'mae_vit-t')
    backbone = MODELS.build(cfg.model.backbone)
    backbone.init_weights()
    state = {f'backbone.{name}': value for name, value in backbone.state_dict().items()}
    torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict=state), tmp_path / 'epoch_1.pth')
    out = extract_backbone(tmp_path / 'epoch_1.pth', tmp_path / 'backbone.pth', image_size=96)

    classifier = Config.fromfile(repo / 'configs/classification/classifier_r18_scenes.py').model
    # Position embeddings of 96 pixels are resized to 128, those of the drawn scenes.
    plain = load_checkpoint(out)['meta']['backbone']
    classifier.backbone = dict(plain, img_size=128, init_cfg=dict(type='Pretrained', checkpoint=str(out)))
    classifier.head.in_channels = 64
    model = MODELS.build(classifier)
    model.init_weights()
    assert torch.equal(model.backbone.layers[1].attn.qkv.weight, backbone.layers[1].attn.qkv.weight)
    model.eval()
    assert model.extract_feat(torch.randn(2, 3, 128, 128))[-1].shape == (2, 64)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['mae_vit-t', 'simmim_swin-t', 'spark_r18'])
def test_in_half_precision_pixels_are_compared_in_float32(name, train, tmp_path):
    _, full = train(name, epochs=1)
    runner, half = train(name, epochs=1, **{'optim_wrapper.type': 'CPUAmpOptimWrapper'})
    np.testing.assert_allclose(half, full, rtol=0.02)
    seen = []
    loss_module = runner.model.head.loss if name == 'spark_r18' else runner.model.head.loss_module
    loss_module.register_forward_hook(lambda _, args, loss: seen.append((args[1].dtype, loss.dtype)))
    data = runner.model.data_preprocessor(next(iter(runner.train_dataloader)), training=True)
    runner.model.train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        runner.model(**data, mode='loss')
    assert seen == [(torch.float32, torch.float32)]


# SGD in MoCo-v2 and DenseCL, and LARS in SwAV, decay every parameter, as their authors' do.
DECAY_ALL = {'mocov2_r18', 'densecl_r18', 'swav_r18'}


@pytest.mark.parametrize('name', sorted(SMALL.keys() - DECAY_ALL))
def test_norms_and_biases_do_not_decay(name, repo):
    """By names that differ from network to network: bn, downsample.1, norm, ln."""
    cfg = small_config(repo, name)
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    decay = {id(parameter): group['weight_decay'] for group in groups for parameter in group['params']}
    names = {id(parameter): name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert any(decay[key] > 0 for key in names)
    for key, parameter_name in names.items():
        parameter = model.get_parameter(parameter_name)
        if parameter.dim() == 1 or parameter_name.endswith(('cls_token', 'mask_token')):
            assert decay[key] == 0, parameter_name


def test_the_positions_of_mae_stay_where_they_are(repo):
    model = MODELS.build(small_config(repo, 'mae_vit-t').model)
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == {'backbone.pos_embed', 'neck.decoder_pos_embed'}


def test_sparse_norms_stay_sparse_in_a_single_process(train):
    """mmengine makes synchronised norms dense there, and masked cells would count in their statistics."""
    runner, _ = train('spark_r18', epochs=1)
    kinds = {type(module).__name__ for module in runner.model.backbone.modules() if 'Norm' in type(module).__name__}
    assert kinds == {'SparseBatchNorm2d'}
    assert {type(module).__name__ for module in runner.model.enc_dec_norms} == {'SparseBatchNorm2d'}
