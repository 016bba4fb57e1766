"""The four tasks, from real samples to predictions, files and pictures."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmseg.structures import SegDataSample

from cmid_mm.apis import (
    INFERENCERS,
    ChangeInferencer,
    ClassificationInferencer,
    DetectionInferencer,
    SegmentationInferencer,
)
from cmid_mm.apis.inputs import find_images, read_scene
from cmid_mm.apis.trained import trained_size
from cmid_mm.apis.windows import Grid
from cmid_mm.checkpoints import CheckpointError

SIZE = dict(ori_shape=(64, 64), img_shape=(64, 64))


def make(task, trained, **kwargs):
    return INFERENCERS[task](*trained(task), device='cpu', **kwargs)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.slow
def test_importing_needs_no_library_of_a_task():
    code = 'import sys; sys.modules.update(mmseg=None, mmdet=None, mmrotate=None); import cmid_mm.apis'
    subprocess.run([sys.executable, '-c', code], check=True)


# ---- the whole call on real samples


def test_classification_of_a_folder(trained, data_root, tmp_path):
    inferencer = make('classification', trained)
    predictions = inferencer(data_root / 'ucmerced/harbor', tmp_path, batch_size=16, progress=False)
    assert len(predictions) == 75
    entries = json.loads((tmp_path / 'predictions.json').read_text())
    assert [entry['name'] for entry in entries] == [prediction.name for prediction in predictions]
    for prediction, entry in zip(predictions, entries, strict=True):
        assert prediction.scores.sum() == pytest.approx(1, abs=1e-4)
        assert prediction.class_name == inferencer.classes[prediction.scores.argmax()] == entry['class_name']
        assert entry['scores'][prediction.class_name] == pytest.approx(prediction.score)
        assert cv2.imread(str(prediction.files[-1])).shape[2] == 3


def test_classification_gives_what_mmpretrain_gives(trained, data_root):
    """Of a file that is not reduced: the pixels, their order and the pipeline are those of training."""
    from mmpretrain.apis import ImageClassificationInferencer

    cfg, checkpoint = trained('classification')
    cfg.model.backbone.init_cfg = None
    path = data_root / 'ucmerced/beach/beach00.jpg'
    theirs = ImageClassificationInferencer(cfg, str(checkpoint), device='cpu')(str(path))
    [ours] = make('classification', trained)(path, progress=False)
    assert ours.scores == pytest.approx(theirs[0]['pred_scores'], abs=1e-5)


def test_a_large_scene_is_read_reduced_for_classification(trained, data_root):
    inferencer = make('classification', trained)
    assert [inferencer.reduction(side, 5000) for side in (64, 255, 256, 1024, 5000)] == [1, 1, 2, 8, 32]


@pytest.mark.parametrize('name', ['unlabelled/mmrotate_P0004_crop_rgba.png', 'geo/torchsat_rgb_uint16.tif'])
def test_segmentation_of_a_scene(trained, data_root, tmp_path, name):
    inferencer = make('segmentation', trained, confidence=True)
    [prediction] = inferencer(data_root / name, tmp_path, batch_size=8, progress=False)
    index, picture = prediction.files
    stored = cv2.imread(str(index), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint8
    assert (stored == prediction.classes).all()
    assert prediction.classes.max() < 4
    assert len(np.unique(prediction.classes)) > 1
    assert (prediction.confidence > 0.25 - 1e-2).all()
    height, width = prediction.classes.shape
    drawn = cv2.imread(str(picture))
    assert drawn.shape[0] > height  # the legend
    assert drawn.shape[1] >= width


def test_a_small_image_gives_what_mmsegmentation_gives(trained, data_root):
    """Run whole, through the same pipeline and preprocessing as the test command."""
    from mmseg.apis import inference_model

    init_default_scope('mmseg')
    inferencer = make('segmentation', trained, window_size=256)
    path = next((data_root / 'potsdam/img_dir/val').glob('*.png'))
    [ours] = inferencer(path, progress=False)
    inferencer.model.cfg = Config(dict(test_pipeline=inferencer.cfg.test_dataloader.dataset.pipeline))
    theirs = inference_model(inferencer.model, str(path)).pred_sem_seg.data[0].numpy()
    assert (ours.classes == theirs).mean() > 0.9999


def test_detection_in_a_scene(trained, data_root, tmp_path):
    inferencer = make('detection', trained, window_size=512)
    [prediction] = inferencer(data_root / 'dota/train/images/P0706.jpg', tmp_path, progress=False)
    boxes, picture = prediction.files
    lines = [line.split() for line in boxes.read_text().splitlines()]
    assert len(lines) == len(prediction.boxes) > 0
    for line, corners, label, score in zip(
        lines, prediction.corners, prediction.labels, prediction.scores, strict=True
    ):
        assert [float(value) for value in line[:8]] == pytest.approx(corners.ravel(), abs=0.06)
        assert line[8] == inferencer.classes[label]
        assert float(line[9]) == pytest.approx(score, abs=1e-4)
    assert (np.diff(prediction.scores) <= 0).all()
    height, width = cv2.imread(str(data_root / 'dota/train/images/P0706.jpg')).shape[:2]
    drawn = cv2.imread(str(picture))
    assert drawn.shape[0] >= height
    assert drawn.shape[1] == width


def test_change_of_folders(trained, data_root, tmp_path):
    inferencer = make('change', trained, window_size=256)
    root = data_root / 'levir_cd/test'
    predictions = inferencer((root / 'A', root / 'B'), tmp_path, batch_size=3, progress=False)
    assert len(predictions) == 4
    for prediction in predictions:
        assert cv2.imread(str(prediction.files[0]), cv2.IMREAD_UNCHANGED).shape == (256, 256)
        assert cv2.imread(str(prediction.files[1])).shape[1] > 3 * 256  # both dates and the change


def test_the_dates_are_not_swapped(trained):
    """The model sees the first date in the first three channels."""
    inferencer = make('change', trained, window_size=64)
    first, second = noise(64, 64, 1), noise(64, 64, 2)
    pixels = torch.from_numpy(np.concatenate([first, second], axis=2)).permute(2, 0, 1)
    with torch.no_grad():
        whole = inferencer.model.test_step(dict(inputs=[pixels], data_samples=[SegDataSample(metainfo=SIZE)]))
    expected = whole[0].pred_sem_seg.data[0].numpy()
    forth, back = (inferencer(pair, progress=False)[0].classes for pair in ((first, second), (second, first)))
    assert (forth == expected).all()
    assert (back != expected).any()


# ---- windows


@pytest.mark.parametrize('task', ['segmentation', 'detection', 'change', 'classification'])
def test_batches_change_nothing(trained, task):
    inferencer = make(task, trained)
    images = [noise(*shape, seed) for seed, shape in enumerate([(150, 170), (60, 60), (60, 60), (64, 200)])]
    inputs = (images, [image[::-1].copy() for image in images]) if task == 'change' else images
    alone, together = (inferencer(inputs, batch_size=size, progress=False) for size in (1, 5))
    for one, other in zip(alone, together, strict=True):
        assert one.name == other.name
        if task == 'detection':
            # Boxes of nearly the same score change places, and with them what suppression leaves.
            apart = np.abs(one.boxes[:, None, :2] - other.boxes[None, :, :2]).max(axis=2)
            same = (apart < 1) & (one.labels[:, None] == other.labels)
            assert min(same.any(axis=0).mean(), same.any(axis=1).mean()) > 0.75
        elif task == 'classification':
            assert one.scores == pytest.approx(other.scores, abs=1e-5)
        else:
            assert (one.classes == other.classes).mean() > 0.999


def test_folders_of_small_images_fill_batches(trained):
    inferencer = make('segmentation', trained)
    sizes = []
    inferencer.model.register_forward_pre_hook(
        lambda module, args, kwargs: sizes.append(len(kwargs['inputs'])), with_kwargs=True
    )
    inferencer([noise(60, 60, seed) for seed in range(5)], batch_size=4, progress=False)
    assert sizes == [4, 1]


def test_boxes_of_a_window_come_to_their_place_in_the_scene(trained):
    inferencer = make('detection', trained, window_size=100, overlap=0.2)
    [source] = find_images(noise(100, 180))
    scene = read_scene(source, inferencer.decoding)
    grid = Grid(scene.shape, inferencer.window_size, inferencer.overlap)
    collector = inferencer.collector(scene, grid)
    for number, window in enumerate(grid):
        boxes = torch.tensor([[50.0, 40.0, 20.0, 10.0, 0.2]])
        found = InstanceData(bboxes=boxes, scores=torch.tensor([0.9 - 0.1 * number]), labels=torch.tensor([number]))
        collector.add(number, window, DetDataSample(pred_instances=found))
    prediction = collector.finish()
    assert prediction.boxes[:, :2].tolist() == [[50, 40], [130, 40]]
    assert prediction.labels.tolist() == [0, 1]


def test_the_trained_size_is_read_from_the_config(repo, trained):
    for name, size in (
        ('segmentation/upernet_r50_potsdam', (512, 512)),
        ('detection/oriented-rcnn_r50_dota', (1024, 1024)),
        ('change_detection/bit_r50_cdd', (256, 256)),
    ):
        assert trained_size(Config.fromfile(repo / f'configs/{name}.py')) == size
    cfg, _ = trained('segmentation')
    cfg.window_size = 96
    assert trained_size(cfg) == (96, 96)


def test_a_config_that_tells_no_size_runs_images_whole_and_asks_for_it_on_scenes(trained):
    cfg, checkpoint = trained('segmentation')
    cfg.train_dataloader.dataset.pipeline = [dict(type='LoadImageFromFile')]
    inferencer = SegmentationInferencer(cfg, checkpoint)
    image, scene = noise(90, 100), noise(20, 1025)
    [whole] = inferencer(image, progress=False)
    [same] = SegmentationInferencer(cfg, checkpoint, window_size=100)(image, progress=False)
    assert (whole.classes == same.classes).all()
    with pytest.raises(ValueError, match=r'array_0 has 1025 x 20 pixels, .* give window_size, or set it in the config'):
        inferencer(scene, progress=False)
    [windows] = SegmentationInferencer(cfg, checkpoint, window_size=64)(scene, progress=False)
    assert windows.classes.shape == (20, 1025)


# ---- what is wrong is said


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda state: state.pop('decode_head.conv_seg.bias'), r'1 missing \(decode_head\.conv_seg\.bias\)'),
        (lambda state: state.update(extra=torch.zeros(1)), r'1 unexpected \(extra\)'),
        (
            lambda state: state.update({'decode_head.conv_seg.bias': torch.zeros(9)}),
            r'1 of another shape \(decode_head\.conv_seg\.bias \(9,\), not \(4,\)\)',
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_by_key_and_file(trained, tmp_path, change, message):
    cfg, checkpoint = trained('segmentation')
    loaded = torch.load(checkpoint)
    change(loaded['state_dict'])
    torch.save(loaded, tmp_path / 'bad.pth')
    with pytest.raises(CheckpointError, match=rf'bad\.pth does not fit .*{message}.*tools/train\.py') as error:
        SegmentationInferencer(cfg, tmp_path / 'bad.pth')
    assert '\n' not in str(error.value)


def test_an_extracted_backbone_is_no_trained_model(trained, tmp_path):
    cfg, _ = trained('segmentation')
    torch.save(dict(state_dict={'conv1.weight': torch.zeros(1)}, meta=dict(backbone={})), tmp_path / 'backbone.pth')
    with pytest.raises(CheckpointError, match='it is an extracted backbone; train it on the task first'):
        SegmentationInferencer(cfg, tmp_path / 'backbone.pth')


def test_the_user_s_config_is_not_changed(trained):
    cfg, checkpoint = trained('segmentation')
    before = cfg.pretty_text
    SegmentationInferencer(cfg, checkpoint)
    assert cfg.pretty_text == before


@pytest.mark.parametrize(
    ('task', 'wrong'),
    [('segmentation', ChangeInferencer), ('change', SegmentationInferencer), ('classification', DetectionInferencer)],
)
def test_a_config_of_another_task_is_named(trained, task, wrong):
    with pytest.raises(ValueError, match=f'is one of {task}; take the inferencer of {task}, not of {wrong.task}'):
        wrong(*trained(task))


def test_a_config_of_pretraining_is_refused(repo, trained):
    with pytest.raises(ValueError, match=r"model\.type='CMID', which is none of classification"):
        ClassificationInferencer(repo / 'configs/cmid/cmid_r18_demo.py', trained('classification')[1])


def test_classes_come_from_the_checkpoint_else_from_the_config(trained, tmp_path):
    cfg, checkpoint = trained('segmentation')
    assert SegmentationInferencer(cfg, checkpoint).classes == ('ground', 'water', 'roof', 'road')
    torch.save(dict(state_dict=torch.load(checkpoint)['state_dict']), tmp_path / 'bare.pth')
    with pytest.raises(ValueError, match='names the classes; add metainfo'):
        SegmentationInferencer(cfg, tmp_path / 'bare.pth')
    cfg.test_dataloader.dataset.metainfo = dict(classes=('a', 'b', 'c', 'd'), palette=[[i, i, i] for i in range(4)])
    inferencer = SegmentationInferencer(cfg, tmp_path / 'bare.pth')
    assert inferencer.classes == ('a', 'b', 'c', 'd')
    assert inferencer.palette[3] == (3, 3, 3)


def test_pictures_may_not_become_inputs(trained, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), noise(40, 40))
    with pytest.raises(ValueError, match='lies inside the input folder'):
        make('segmentation', trained)(tmp_path, tmp_path / 'out', progress=False)


def test_pictures_of_large_scenes_are_reduced(trained, tmp_path):
    inferencer = make('segmentation', trained, window_size=1024)
    inferencer.picture_side = 100
    [prediction] = inferencer(noise(300, 150), tmp_path, progress=False)
    assert prediction.classes.shape == (300, 150)
    drawn = cv2.imread(str(prediction.files[1]))
    assert drawn.shape[1] < 300
    assert drawn.shape[0] < 300
