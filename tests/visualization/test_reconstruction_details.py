"""Masks, error and spectra of reconstructions."""

from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cmid_mm.checkpoints import load_pretraining
from cmid_mm.visualization.reconstructions import draw_reconstructions, log_amplitude, reconstruct


@given(row=st.integers(0, 8), column=st.integers(-7, 8))
def test_a_wave_has_its_two_frequencies_in_the_spectrum_and_nothing_else(row, column):
    if row == column == 0:
        return
    y, x = np.mgrid[:16, :16]
    wave = 100 + 50 * np.cos(2 * np.pi * (row * y + column * x) / 16)
    spectrum = log_amplitude(np.repeat(wave[None, ..., None], 3, axis=3))[0]
    places = {(8, 8), ((8 + row) % 16, (8 + column) % 16), ((8 - row) % 16, (8 - column) % 16)}
    assert {(int(i), int(j)) for i, j in np.argwhere(spectrum > 1)} == places
    assert spectrum[8, 8] == pytest.approx(np.log10(1 + 100 * 16))


def test_masks_are_those_of_the_config_and_the_network_sees_their_mean(small_checkpoint):
    network = load_pretraining(small_checkpoint)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 96, 96, 3), dtype=np.uint8)
    seen, painted, mask = reconstruct(network, pixels, seed=1)
    assert seen.shape == painted.shape == pixels.shape
    blocks = mask.reshape(5, 3, 8, 3, 8)
    assert (blocks == blocks[:, :, :1, :, :1]).all()  # 32 pixels of 4 a value
    assert mask.mean(axis=(1, 2)) == pytest.approx(6 / 9)
    assert len({each.tobytes() for each in mask}) > 1
    hidden = np.kron(mask, np.ones((1, 4, 4))) > 0
    for image, shown, where in zip(pixels, seen, hidden, strict=True):
        np.testing.assert_array_equal(shown[~where], image[~where])
        assert np.abs(shown[where] - image.mean(axis=(0, 1))).max() <= 1
    np.testing.assert_array_equal(reconstruct(network, pixels, seed=1)[2], mask)
    assert not np.array_equal(reconstruct(network, pixels, seed=2)[2], mask)


def test_a_perfect_reconstruction_is_black_in_the_error_panel(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    bright = []
    for shift in (0, 60):
        rebuilt = np.where(image > 127, image - shift, image + shift).astype(np.uint8)
        draw_reconstructions(image, image, rebuilt, np.ones((1, 8, 8)), tmp_path / 'r.png', details=True)
        picture = np.asarray(Image.open(tmp_path / 'r.png').convert('L')).astype(float)
        width = picture.shape[1] // 7
        bright.append(np.median(picture[60:160, 4 * width + 40 : 5 * width - 40]))
    assert bright[0] < 15 < 60 < bright[1]


def test_without_the_head_nothing_is_painted(small_config, write_checkpoint):
    cfg = deepcopy(small_config)
    cfg.model.reconstruction_head = None
    with pytest.raises(ValueError, match='this CMID has no reconstruction_head, so it paints nothing'):
        reconstruct(load_pretraining(write_checkpoint(cfg)), np.zeros((1, 96, 96, 3), np.uint8))
