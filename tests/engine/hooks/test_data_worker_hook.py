"""A data worker that dies takes the run with it, but not without the name of the file."""

import os
import signal

import pytest
from mmcv.transforms import BaseTransform
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import TRANSFORMS

from cmid_mm.engine.lost_parts import sentence_on_loss


@TRANSFORMS.register_module(force=True)
class FatalFile(BaseTransform):
    """Ends the process that reads a certain file, as a decoder with a bug does."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number

    def transform(self, results: dict) -> dict:
        if os.path.basename(results['img_path']) == self.name:
            os.kill(os.getpid(), self.number)
        return results


class KillWorker(Hook):
    """Kill the workers, as the kernel does where memory is short."""

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        if batch_idx == 1:  # each of the two has given a batch
            for worker in runner.train_dataloader._iterator._workers:
                os.kill(worker.pid, signal.SIGKILL)


@pytest.fixture
def config(tiny_config):
    tiny_config.train_dataloader.update(num_workers=2, persistent_workers=True)
    return tiny_config


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGSEGV, signal.SIGKILL])
def test_the_file_that_ends_a_worker_is_named(config, image_folder, number):
    config.train_dataloader.dataset.pipeline.insert(0, dict(type='FatalFile', name='07.png', number=int(number)))
    with pytest.raises(RuntimeError) as lost:
        Runner.from_cfg(config).train()
    sentence = sentence_on_loss(lost.value)
    assert sentence.startswith('data worker ')
    assert f'the last file that it began to read is {image_folder / "07.png"}: repair or remove the file' in sentence


@pytest.mark.slow
def test_workers_that_are_killed_are_told_from_other_errors(config):
    runner = Runner.from_cfg(config)
    runner.register_hook(KillWorker())
    with pytest.raises(RuntimeError) as lost:
        runner.train()
    assert 'is killed by signal: Killed; the last file that it began to read is ' in sentence_on_loss(lost.value)


def test_other_errors_are_left_as_they_are():
    assert sentence_on_loss(RuntimeError('shapes do not match')) is None
    assert sentence_on_loss(RuntimeError('Connection closed by peer')) is None  # without other processes
