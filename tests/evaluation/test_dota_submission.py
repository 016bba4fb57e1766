"""Boxes of tiles become boxes of whole images, and what cannot is refused before the work."""

import zipfile
from pathlib import Path

import pytest
import torch
from mmrotate.registry import METRICS

import cmid_mm.with_mmrotate  # noqa: F401

CLASSES = ('plane', 'ship')


def prediction(name: str, *boxes: list[float], label: int = 1) -> dict:
    scores = torch.linspace(0.9, 0.5, len(boxes))
    labels = torch.full((len(boxes),), label)
    found = dict(bboxes=torch.tensor(boxes), scores=scores, labels=labels)
    return dict(img_id=name, img_path=f'{name}.png', gt_instances={}, ignored_instances={}, pred_instances=found)


def build(out: Path):
    metric = METRICS.build(dict(type='mmrotate.DOTASubmission', out=str(out)))
    metric.dataset_meta = dict(classes=CLASSES)
    return metric


def test_a_ship_on_two_tiles_is_one_ship_of_the_image(tmp_path: Path) -> None:
    metric = build(tmp_path / 'Task1')
    metric.process({}, [prediction('P0001__1024__0___0', [900.0, 500.0, 40.0, 20.0, 0.0])])
    metric.process(
        {}, [prediction('P0001__1024__824___0', [76.0, 500.0, 40.0, 20.0, 0.0], [50.0, 600.0, 8.0, 4.0, 0.0])]
    )
    metric.process({}, [prediction('P0002__1024__0___824', [10.0, 20.0, 4.0, 2.0, 0.0], label=0)])
    metric.evaluate(size=3)
    with zipfile.ZipFile(tmp_path / 'Task1/Task1.zip') as archive:
        ships, planes = (archive.read(f'Task1_{name}.txt').decode().splitlines() for name in ('ship', 'plane'))
    centres = [_centre(line) for line in ships]
    assert centres == [('P0001', 900.0, 500.0), ('P0001', 874.0, 600.0)]
    assert [_centre(line) for line in planes] == [('P0002', 10.0, 844.0)]


def _centre(line: str) -> tuple[str, float, float]:
    name, _, *corners = line.split()
    values = [float(value) for value in corners]
    return name, sum(values[0::2]) / 4, sum(values[1::2]) / 4


def test_a_folder_that_exists_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match=r'the folder of the submission, exists; name another'):
        build(tmp_path)


def test_an_image_that_is_no_tile_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'P0706\.png is no tile, whose name would say its place'):
        build(tmp_path / 'Task1').process({}, [prediction('P0706', [1.0, 1.0, 1.0, 1.0, 0.0])])
