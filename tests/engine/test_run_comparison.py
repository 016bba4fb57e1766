"""Two records against each other: what differs is named, and where the losses part."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmid_mm.engine.run_comparison import Difference, differences, first_difference
from cmid_mm.engine.run_record import read_losses

VALUES = st.floats(allow_nan=True, allow_infinity=True, width=32)
LOSSES = st.dictionaries(
    st.integers(1, 30), st.fixed_dictionaries({'loss': VALUES, 'loss_local': VALUES}), min_size=1, max_size=20
)


def test_versions_git_and_variables_are_named_and_times_are_not():
    before = {
        'started': 'monday',
        'command': ['a'],
        'git': {'commit': 'a', 'diff': 'long'},
        'software': {'torch': '2.11.0', 'timm': '1.0'},
        'variables': {'OMP_NUM_THREADS': '1'},
        'machines': ['one'],
    }
    after = {
        'started': 'tuesday',
        'command': ['b'],
        'git': {'commit': 'b', 'diff': 'short'},
        'software': {'torch': '2.12.0', 'timm': '1.0'},
        'variables': {},
        'machines': ['one', 'two'],
    }
    assert differences(before, after) == [
        Difference('git: commit', 'a', 'b'),
        Difference('software: torch', '2.11.0', '2.12.0'),
        Difference('variables: OMP_NUM_THREADS', '1', ''),
        Difference('machines', 'one', 'one, two'),
    ]


@given(losses=LOSSES)
def test_a_run_equals_itself_whatever_its_losses(losses):
    assert first_difference(losses, {step: dict(values) for step, values in losses.items()}) is None


@given(losses=LOSSES, data=st.data())
def test_the_first_changed_bit_is_found(losses, data):
    finite = [step for step in losses if math.isfinite(losses[step]['loss_local'])]
    if not finite:
        return
    at = data.draw(st.sampled_from(finite))
    value = math.nextafter(losses[at]['loss_local'], math.inf)
    other = {step: dict(values, loss=math.nan if step > at else values['loss']) for step, values in losses.items()}
    other[at]['loss_local'] = value
    found = first_difference(losses, other)
    assert (found.step, found.name, found.after) == (at, 'loss_local', value)


def test_tolerance_is_relative_and_the_largest_difference_is_named():
    before = {1: {'loss': 100.0, 'small': 1e-3}}
    after = {1: {'loss': 100.1, 'small': 1.1e-3}}
    assert first_difference(before, after, tolerance=0.2) is None
    found = first_difference(before, after, tolerance=1e-4)
    assert (found.name, found.amount) == ('small', pytest.approx(1e-4))


def test_a_loss_that_one_run_lacks_is_a_difference():
    found = first_difference({1: {'loss': 1.0}}, {1: {'loss': 1.0, 'loss_new': 2.0}})
    assert found.name == 'loss_new'
    assert math.isnan(found.before)


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / 'first_losses.json').write_text('{"step": 1, "loss": 2}\n{"step": 2, "lo')
    with pytest.raises(ValueError, match=r'first_losses\.json, line 2'):
        read_losses(tmp_path / 'first_losses.json')
