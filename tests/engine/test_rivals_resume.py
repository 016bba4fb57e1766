"""mmpretrain's algorithms, too, go on as if they had never stopped: targets, queues, schedules, prototypes."""

from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from cmid_mm.checkpoints import load_checkpoint


@pytest.fixture
def run(tiny_rival):
    """Train a very small network, 3 epochs of 6 steps; return the runner and the loss of each step."""

    def _run(name: str, work_dir: Path, **changes) -> tuple[Runner, dict[int, float]]:
        cfg = tiny_rival(name, 3, work_dir=str(work_dir), **changes)
        # A shorter warm-up, so that the rate changes with each step of a run of 3 epochs.
        for scheduler in cfg.param_scheduler:
            scheduler.update({key: 1 for key in ('begin', 'end') if scheduler.get(key) == 10})
        runner = Runner.from_cfg(cfg)
        runner.train()
        losses = runner.message_hub.get_scalar('train/loss').data[0]
        return runner, losses

    return _run


@pytest.mark.slow
@pytest.mark.parametrize('at', [4, 12, 15], ids=['within-epoch-1', 'between-epochs', 'within-epoch-3'])
# SparK's weight decay has a schedule, and its masks are drawn by the model.
@pytest.mark.parametrize('name', ['byol_r18', 'mocov2_r18', 'densecl_r18', 'swav_r18', 'spark_r18'])
def test_resumed_is_never_stopped(name, at, run, tmp_path):
    whole, expected = run(name, tmp_path / 'whole')
    # Written in the middle of a run that goes on in the same folder; what comes after it is thrown away.
    checkpoint = dict(by_epoch=False, interval=at, max_keep_ckpts=-1)
    run(name, tmp_path / 'stopped', **{'default_hooks.checkpoint': checkpoint})
    saved = str(tmp_path / f'stopped/iter_{at}.pth')
    resumed, found = run(name, tmp_path / 'stopped', resume=True, load_from=saved)
    # The logged losses travel with the checkpoint.
    assert len(expected) == len(found) == 18
    assert found.tolist() == expected.tolist()
    for key, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key
    if name == 'swav_r18':
        assert torch.equal(resumed.model.head.loss_module.queue, whole.model.head.loss_module.queue)


@pytest.mark.slow
def test_a_new_run_does_not_begin_with_the_queue_of_an_old_one(run, tmp_path):
    _, first = run('swav_r18', tmp_path / 'work')
    assert not list(tmp_path.glob('work/queue*.pth'))
    _, second = run('swav_r18', tmp_path / 'work')
    assert first.tolist() == second.tolist()


@pytest.mark.slow
def test_queues_of_another_number_of_processes_are_refused(run, tmp_path):
    run('swav_r18', tmp_path / 'work')
    checkpoint = load_checkpoint(tmp_path / 'work/epoch_2.pth')
    checkpoint['swav_queues'] = checkpoint['swav_queues'].repeat(2, 1, 1, 1)
    torch.save(checkpoint, tmp_path / 'two.pth')
    with pytest.raises(ValueError, match='holds SwAV queues of 2 processes, and this run has 1'):
        run('swav_r18', tmp_path / 'resumed', resume=True, load_from=str(tmp_path / 'two.pth'))
