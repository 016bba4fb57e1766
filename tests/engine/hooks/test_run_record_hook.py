"""The record of a run: the resolved config, which starts it again, and the first losses, unrounded."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from cmid_mm.engine.hooks import RunRecordHook
from cmid_mm.engine.run_record import find_records, read_losses, read_record


def train(cfg: Config, work_dir: Path, **changes) -> tuple[Runner, Path]:
    """Train; return the runner and the folder of this start."""
    cfg = Config.fromstring(cfg.pretty_text, '.py')
    cfg.merge_from_dict(dict(changes, work_dir=str(work_dir), experiment_name=work_dir.name))
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner, Path(runner.log_dir)


@pytest.fixture
def run(tiny_config, tmp_path, monkeypatch) -> tuple[Runner, Path]:
    """A run with an open seed and an overridden setting, whose log says the mean of five losses at a time."""
    monkeypatch.setattr(sys, 'orig_argv', shlex.split('python tools/train.py my.py'))
    changes = {
        'randomness.seed': None,
        'model.base_momentum': 0.9,
        'default_hooks.run_record.losses': 4,
        'default_hooks.logger.interval': 5,
        'log_processor.window_size': 5,
    }
    return train(tiny_config, tmp_path / 'work', **changes)


def test_a_run_is_described_so_that_it_can_be_started_again(run):
    runner, folder = run
    record = read_record(folder / 'run.json')
    assert record['command'] == ['python', 'tools/train.py', 'my.py']
    assert (record['seed'], record['processes'], record['first_iteration']) == (runner.seed, 1, 0)
    assert record['data']['samples'] == 24
    assert record['weights'] == {}
    assert record['software']['torch']
    assert 'commit' in record['git'] or 'reason' in record['git']
    # The config is the one that ran, overrides included, and so is what mmengine writes beside it.
    for again in (Config.fromstring(record['config'], '.py'), Config.fromfile(folder / 'vis_data/config.py')):
        assert again.to_dict() == runner.cfg.to_dict()
        assert again.model.base_momentum == 0.9
    # The first losses are those of each iteration, to the last bit.
    losses = read_losses(folder / 'first_losses.json')
    assert list(losses) == [1, 2, 3, 4]
    names = {'loss', 'loss_spatial', 'loss_frequency', 'loss_global', 'loss_local'}
    for name in names:
        history = runner.message_hub.get_scalar(f'train/{name}').data[0]
        assert [losses[step][name] for step in losses] == history[:4].tolist()
    assert all(set(values) == names for values in losses.values())


@pytest.mark.slow
def test_a_resumed_run_has_a_record_of_its_own(tiny_config, tmp_path):
    changes = {'default_hooks.checkpoint': dict(by_epoch=False, interval=4, max_keep_ckpts=-1)}
    _, first = train(tiny_config, tmp_path / 'whole', **changes)
    saved = str(tmp_path / 'whole/iter_4.pth')
    _, second = train(tiny_config, tmp_path / 'again', resume=True, load_from=saved)
    record = read_record(second / 'run.json')
    assert record['first_iteration'] == 4
    assert list(record['weights']) == [saved]
    whole, again = (read_losses(folder / 'first_losses.json') for folder in (first, second))
    assert again == {step: values for step, values in whole.items() if step > 4}


def test_other_files_are_no_records(tmp_path):
    path = tmp_path / 'run.json'
    path.write_text('{"seed": 1}')
    assert find_records(tmp_path) == [path]
    with pytest.raises(ValueError, match=r'run\.json is no record of a run: .*config.* is missing'):
        read_record(path)
    path.write_text(json.dumps([1])[:-1])
    with pytest.raises(ValueError, match=r'run\.json is no record of a run'):
        read_record(path)
    with pytest.raises(ValueError, match='losses of RunRecordHook is 0'):
        RunRecordHook(losses=0)
