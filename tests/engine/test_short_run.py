"""Schedules fit runs of any length."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.registry import PARAM_SCHEDULERS

from cmid_mm.engine.short_run import fit_to_short_run


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.integers(1, 60), epochs=st.integers(1, 12))
def test_every_length_reaches_the_full_rate_and_comes_down(tiny_config, steps, epochs):
    fit_to_short_run(tiny_config, steps, epochs)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedulers = [PARAM_SCHEDULERS.build(dict(part, optimizer=optimizer)) for part in tiny_config.param_scheduler]
    rates = []
    for _ in range(steps * epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert rates[0] == pytest.approx(0.005)
    if len(rates) >= 3:
        assert max(rates) == pytest.approx(0.5)
    if len(rates) >= 40:
        assert rates[-1] < 0.01
    assert tiny_config.train_cfg.max_epochs == epochs
    assert 0 <= tiny_config.model.base_momentum <= 0.996


def test_the_teacher_remembers_no_more_than_half_of_a_short_run(tiny_config):
    fit_to_short_run(tiny_config, steps_per_epoch=25, epochs=4)
    assert tiny_config.model.base_momentum == pytest.approx(0.98)


def test_a_long_run_keeps_its_teacher(tiny_config):
    fit_to_short_run(tiny_config, steps_per_epoch=1000, epochs=200)
    assert tiny_config.model.base_momentum == 0.996
