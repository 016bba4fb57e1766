"""The learning rate follows the whole batch, by either rule."""

import pytest

from cmid_mm.engine.lr_scaling import scale_learning_rate


@pytest.mark.parametrize(('rule', 'factor'), [('linear', 4.0), ('sqrt', 2.0)])
def test_rules_count_processes_and_accumulation(tiny_config, rule, factor):
    tiny_config.auto_scale_lr.base_batch_size = 8
    tiny_config.optim_wrapper.accumulative_counts = 4
    before = tiny_config.optim_wrapper.optimizer.lr
    assert scale_learning_rate(tiny_config, rule, world_size=2) == factor
    assert tiny_config.optim_wrapper.optimizer.lr == pytest.approx(before * factor)
    assert not tiny_config.auto_scale_lr.enable, 'mmengine must not scale it again'


def test_unknown_base_is_refused(tiny_config):
    tiny_config.pop('auto_scale_lr')
    with pytest.raises(ValueError, match='set auto_scale_lr=dict'):
        scale_learning_rate(tiny_config, 'linear', world_size=1)
