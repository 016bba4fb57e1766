"""Checkpoints load without running what is in them, or not at all."""

import pickle
import zipfile
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner.checkpoint import _load_checkpoint
from safetensors.torch import save_file

from cmid_mm.checkpoints import CheckpointError, load_checkpoint


class Trap:
    """Creates a file when it is unpickled, as a malicious checkpoint could run anything."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.fixture
def trap(tmp_path):
    torch.save(dict(state_dict={}, extra=Trap(tmp_path / 'sprung')), tmp_path / 'trap.pth')
    return tmp_path / 'trap.pth', tmp_path / 'sprung'


@pytest.mark.parametrize('load', [load_checkpoint, _load_checkpoint], ids=['ours', "mmengine's"])
def test_a_checkpoint_cannot_run_code(trap, load):
    path, sprung = trap
    with pytest.raises(CheckpointError, match='CMID_MM_ALLOW_PICKLE=1 if you trust its origin'):
        load(str(path))
    assert not sprung.exists()


def test_pickle_is_allowed_by_name_alone(trap, monkeypatch):
    path, sprung = trap
    monkeypatch.setenv('CMID_MM_ALLOW_PICKLE', '1')
    load_checkpoint(path)
    assert sprung.exists()


def test_what_was_refused_is_named(trap):
    path, _ = trap
    with pytest.raises(CheckpointError, match=r'holds more than weights \(pathlib\.Path\), which could run code'):
        load_checkpoint(path)


def test_a_file_that_is_no_checkpoint_is_called_so(tmp_path):
    (tmp_path / 'readme.pth').write_text('# Not weights')
    with pytest.raises(CheckpointError, match='is no checkpoint, or damaged'):
        load_checkpoint(tmp_path / 'readme.pth')


class Getattr:
    """Pickles to a call of getattr, which could reach anything from a class that is allowed."""

    def __reduce__(self):
        return (getattr, (HistoryBuffer, '__init__'))


def test_getattr_reaches_no_more_than_the_methods_of_history_buffers(tmp_path):
    torch.save(Getattr(), tmp_path / 'getattr.pth')
    with pytest.raises(CheckpointError, match='holds more than weights'):
        load_checkpoint(tmp_path / 'getattr.pth')


def test_what_mmengine_saves_loads(tmp_path):
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    torch.save(dict(message_hub=dict(log_scalars=dict(loss=history)), value=np.float64(3)), tmp_path / 'a.pth')
    loaded = load_checkpoint(tmp_path / 'a.pth')
    assert loaded['message_hub']['log_scalars']['loss'].mean() == 1.5
    assert loaded['value'] == 3


def test_what_mae_and_numpy_1_save_loads(tmp_path):
    """Arguments, and numpy's objects under the names that they had before numpy 2."""
    torch.save(dict(args=Namespace(mask_ratio=0.75), value=np.float64(3), array=np.arange(3)), tmp_path / 'new.pth')
    with zipfile.ZipFile(tmp_path / 'new.pth') as new, zipfile.ZipFile(tmp_path / 'old.pth', 'w') as old:
        for name in new.namelist():
            old.writestr(name, new.read(name).replace(b'numpy._core.', b'numpy.core.'))
    for name in ('new.pth', 'old.pth'):
        loaded = load_checkpoint(tmp_path / name)
        assert (loaded['args'].mask_ratio, loaded['value'], loaded['array'].tolist()) == (0.75, 3, [0, 1, 2])


def test_a_trusted_file_of_a_missing_package_is_named(tmp_path):
    torch.save(dict(state_dict={}, callbacks=Trap(tmp_path)), tmp_path / 'a.pth')
    with zipfile.ZipFile(tmp_path / 'a.pth') as file, zipfile.ZipFile(tmp_path / 'b.pth', 'w') as changed:
        for name in file.namelist():
            changed.writestr(name, file.read(name).replace(b'cpathlib\n', b'clightning_0\n'))
    with pytest.raises(CheckpointError, match=r"b.pth holds objects of a package that is not installed.*'lightning_0'"):
        load_checkpoint(tmp_path / 'b.pth', trusted=True)


def test_safetensors(tmp_path):
    weight = torch.randn(2, 3)
    save_file(dict(weight=weight), tmp_path / 'a.safetensors', metadata=dict(format='pt', epoch='3'))
    loaded = _load_checkpoint(str(tmp_path / 'a.safetensors'))
    assert torch.equal(loaded['state_dict']['weight'], weight)
    assert loaded['meta'] == dict(format='pt', epoch=3)


@pytest.mark.parametrize('name', ['a.pth', 'a.safetensors'])
def test_damaged_files_are_named(tmp_path, name):
    path = tmp_path / name
    if path.suffix == '.pth':
        torch.save(dict(weight=torch.randn(100)), path)
    else:
        save_file(dict(weight=torch.randn(100)), path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match=f'{name} is damaged'):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps('text'))
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='is no checkpoint file; check the path'):
        load_checkpoint(tmp_path / 'none.pth')
