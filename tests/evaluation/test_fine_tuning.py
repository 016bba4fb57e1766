"""Fine-tuning learns real classes from a pretrained backbone, the same each time."""

import copy

import numpy as np
import pytest
from mmengine.config import Config

from cmid_mm.checkpoints import load_checkpoint
from cmid_mm.datasets import UnlabelledImages
from cmid_mm.evaluation import read_image_set
from cmid_mm.evaluation.features import MEAN, STD
from cmid_mm.evaluation.fine_tuning import fine_tune
from cmid_mm.visualization.progress import ProgressBar


@pytest.mark.slow
def test_a_few_steps_learn_real_classes_and_repeat_bit_by_bit(data_root, repo, extracted_r18, tmp_path):
    images = read_image_set(data_root / 'rsscn7', 64, tmp_path / 'index', ProgressBar)
    index = UnlabelledImages(str(data_root / 'rsscn7'), cache=str(tmp_path / 'index')).index
    paths = [index[int(place)] for place in images.places]
    recipe = Config.fromfile(repo / 'configs/classification/classifier_r18_scenes.py')
    before = copy.deepcopy(recipe).pretty_text
    backbone = load_checkpoint(extracted_r18)['meta']['backbone']
    backbone = dict(backbone, init_cfg=dict(type='Pretrained', checkpoint=str(extracted_r18)))
    options = dict(size=64, mean=MEAN, std=STD, seed=0)
    accuracies = [
        fine_tune(recipe, backbone, paths, images, steps=steps, work_dir=tmp_path / str(number), **options)
        for number, steps in enumerate((1, 25, 25))
    ]
    chance = np.bincount(images.labels[images.test]).max() / len(images.test)
    assert accuracies[1] > max(accuracies[0], 2 * chance)
    assert accuracies[1] == accuracies[2]
    # The same recipe serves every method.
    assert recipe.pretty_text == before
    # No image that is scored was learned from.
    learned = {line.rsplit(' ', 1)[0] for line in (tmp_path / '1/train.txt').read_text().splitlines()}
    assert len(learned) == len(images.scored)
    assert not learned & {paths[row] for row in images.test}
    assert not list(tmp_path.glob('1/*.pth'))
