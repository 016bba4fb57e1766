"""Prototypes: every cell has one owner, that of the local loss, and patches are cut where the cells are."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cmid_mm.checkpoints import load_pretraining
from cmid_mm.evaluation import extract_maps
from cmid_mm.models.utils import cells_of_map
from cmid_mm.visualization.prototypes import cut_cell, draw_prototypes, own_cells, typical_cells


def maps_of(network, pixels):
    return extract_maps(network.module, pixels, size=pixels.shape[1], mean=network.mean, std=network.std)


def test_owners_are_those_of_the_teachers_assignment(small_checkpoint, tmp_path):
    network = load_pretraining(small_checkpoint)
    head = network.module.local_head
    torch.manual_seed(0)
    head.loss_module.center.normal_(std=0.2)
    pixels = np.random.default_rng(0).integers(0, 256, (7, 96, 96, 3), dtype=np.uint8)
    owners, lead = own_cells(network, pixels, maps_of)
    mean, std = (np.array(values, np.float32) for values in (network.mean, network.std))
    inputs = torch.from_numpy(((pixels - mean) / std).transpose(0, 3, 1, 2))
    with torch.no_grad():
        similarity = head.teacher_projector(cells_of_map(network.module.teacher(inputs)[-1]))
    target = ((similarity - head.loss_module.center) / head.loss_module.teacher_temperature).softmax(-1)
    np.testing.assert_array_equal(owners, target.argmax(-1).view(7, 3, 3))
    assert len(np.unique(owners)) > 1
    assert (lead > 0).all()
    draw_prototypes(pixels, owners, lead, 24, tmp_path / 'p.png', rows=3, columns=4)
    assert np.asarray(Image.open(tmp_path / 'p.png').convert('L')).std() > 10


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), prototypes=st.integers(1, 8))
def test_patches_of_all_prototypes_are_all_cells_once_and_most_typical_of_each_image_first(seed, prototypes):
    generator = np.random.default_rng(seed)
    owners, lead = generator.integers(0, prototypes, (5, 3, 4)), generator.random((5, 3, 4))
    cells = np.concatenate([typical_cells(owners, lead, prototype, 60) for prototype in range(prototypes)])
    assert len(cells) == 60
    assert len({tuple(cell) for cell in cells.tolist()}) == 60
    for prototype in range(prototypes):
        own = typical_cells(owners, lead, prototype, 60)
        assert (owners[tuple(own.T)] == prototype).all()
        first = own[: len(set(own[:, 0].tolist()))]
        assert len(set(first[:, 0].tolist())) == len(first)  # one an image
        values = lead[tuple(first.T)]
        assert (np.diff(values) <= 0).all()
        for image, value in zip(first[:, 0], values, strict=True):
            assert value == lead[image][owners[image] == prototype].max()
        np.testing.assert_array_equal(typical_cells(owners, lead, prototype, 2), own[:2])


def test_a_patch_is_the_cell_and_half_a_cell_around_it():
    image = np.random.default_rng(0).integers(0, 200, (96, 96, 3), dtype=np.uint8)
    np.testing.assert_array_equal(cut_cell(image, (1, 1), (3, 3)), image[16:80, 16:80])
    corner = cut_cell(image, (0, 2), (3, 3))
    assert corner.shape == (64, 64, 3)
    np.testing.assert_array_equal(corner[16:, :48], image[:48, 48:])
    assert (corner[:16] == 208).all()
    assert (corner[:, 48:] == 208).all()


def test_without_the_head_there_are_no_prototypes(small_config, write_checkpoint):
    cfg = deepcopy(small_config)
    cfg.model.local_head = None
    network = load_pretraining(write_checkpoint(cfg))
    with pytest.raises(ValueError, match='this CMID has no local_head, so it has no prototypes'):
        own_cells(network, np.zeros((1, 96, 96, 3), np.uint8), maps_of)
