import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cmid_mm.visualization.loss_curves import draw_loss_curves, find_scalars, read_scalars, smooth


def _record(folder, steps, offset=0.0, **more):
    file = folder / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    lines = [{'step': s, 'loss': 2.0 / s + offset, 'loss_local': 1.0 / s, 'lr': 1e-3, 'time': 1} for s in steps]
    file.write_text('\n'.join(json.dumps({**line, **more}) for line in lines) + '\n')
    return file


def test_losses_and_rate_of_a_resumed_run_are_joined(tmp_path):
    _record(tmp_path / '20260102_000000', range(6, 11), offset=1.0)
    _record(tmp_path / '20260101_000000', range(1, 9))
    curves = read_scalars(find_scalars(tmp_path))
    assert list(curves) == ['loss', 'loss_local', 'lr']
    steps, values = curves['loss']
    assert steps.tolist() == list(range(1, 11))
    # Steps 6 to 8 were run again after resuming.
    assert values[[4, 5]] == pytest.approx([2 / 5, 2 / 6 + 1])


def test_a_nan_loss_is_drawn_around(tmp_path):
    file = _record(tmp_path / 'run', range(1, 30), loss_global=float('nan'))
    window = draw_loss_curves(read_scalars([file]), tmp_path / 'curves.png')
    assert window == 2
    assert np.asarray(Image.open(tmp_path / 'curves.png').convert('L')).std() > 5


def test_other_files_are_named_in_the_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='holds no'):
        find_scalars(tmp_path)
    (tmp_path / 'a.json').write_text('{"step": 1, "loss": 1}\nEpoch 1\n')
    with pytest.raises(ValueError, match=r'a\.json, line 2'):
        read_scalars([tmp_path / 'a.json'])
    (tmp_path / 'b.json').write_text('{"step": 1, "lr": 1}\n')
    with pytest.raises(ValueError, match='no line holds a loss'):
        read_scalars([tmp_path / 'b.json'])


@given(
    values=st.lists(st.floats(-100, 100), min_size=1, max_size=40),
    window=st.integers(1, 60),
)
def test_smoothing_is_a_mean_of_neighbours(values, window):
    values = np.array(values)
    smoothed = smooth(values, window)
    assert smoothed.shape == values.shape
    assert smoothed.min() >= values.min() - 1e-9
    assert smoothed.max() <= values.max() + 1e-9
    if window == 1:
        np.testing.assert_allclose(smoothed, values)
    np.testing.assert_allclose(smooth(np.full(len(values), 3.0), window), 3.0)
