"""A checkpoint is data: no tool runs what is in it, whatever form it has and wherever in it the code is."""

import http.server
import json
import pickle
import runpy
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader, checkpoint
from PIL import Image
from safetensors.torch import save_file

from cmid_mm.checkpoints import CheckpointError, load_backbone, load_pretraining


class Trap:
    """Creates a file when it is unpickled, as a malicious checkpoint could run anything."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return Path.touch, (self.marker,)


def as_zip(content: dict, path: Path) -> None:
    torch.save(content, path)


def as_legacy(content: dict, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def as_pickle(content: dict, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


FORMS = {
    'zip.pth': as_zip,
    'legacy.pth': as_legacy,
    'pickle.pth': as_pickle,
    'zip.pt': as_zip,
    'zip.safetensors': as_zip,
    'pickle.safetensors': as_pickle,
}


@pytest.fixture(params=FORMS)
def trap(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file that is a checkpoint but for one object; fails if this object was ever made."""
    marker, path = tmp_path / 'sprung', tmp_path / 'work' / request.param
    path.parent.mkdir()
    weights = {'backbone.conv1.weight': torch.zeros(2)}
    FORMS[request.param](dict(state_dict=weights, meta=dict(epoch=1), optimizer=Trap(marker)), path)
    yield path
    assert not marker.exists()


@pytest.fixture
def refused(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a tool in this process and return the sentence that it ends with."""

    def _refused(tool: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        monkeypatch.syspath_prepend(str(repo / 'tools' / 'benchmark'))
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(repo / 'tools' / tool), run_name='__main__')
        assert isinstance(ended.value.code, str), ended.value.code
        assert '\n' not in ended.value.code
        return ended.value.code

    return _refused


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / 'image.png')
    return tmp_path / 'image.png'


@pytest.fixture
def config(tiny_config: Config, tmp_path: Path) -> Path:
    tiny_config.work_dir = str(tmp_path / 'work')
    tiny_config.dump(tmp_path / 'config.py')
    return tmp_path / 'config.py'


SOURCES = ('auto', 'cmid', 'openmmlab', 'moco')


@pytest.mark.parametrize('source', SOURCES)
def test_converting_refuses_it(trap: Path, refused: Callable, tmp_path: Path, source: str) -> None:
    told = refused('convert_checkpoint.py', trap, tmp_path / 'out.pth', '--from', source)
    assert trap.name in told
    assert not (tmp_path / 'out.pth').exists()


PICTURES = ('activations', 'correspondence', 'embedding', 'neighbours', 'prototypes', 'reconstructions')


@pytest.mark.parametrize('tool', PICTURES)
def test_pictures_refuse_it(trap: Path, refused: Callable, tmp_path: Path, image: Path, tool: str) -> None:
    shown = tmp_path if tool in ('embedding', 'neighbours') else image
    assert trap.name in refused(f'analysis/{tool}.py', trap, shown, '--out', tmp_path / 'out.png')


def test_extracting_and_converting_a_whole_state_refuse_it(trap: Path, refused: Callable, tmp_path: Path) -> None:
    assert trap.name in refused('extract_backbone.py', trap, tmp_path / 'out.pth')
    assert trap.name in refused('convert_checkpoint.py', trap, tmp_path / 'out.pth', '--training-state')


@pytest.mark.parametrize('trap', ['zip.pth', 'legacy.pth', 'pickle.safetensors'], indirect=True)
def test_predicting_and_testing_refuse_it(
    trap: Path, refused: Callable, repo: Path, tmp_path: Path, image: Path
) -> None:
    config = repo / 'configs/classification/classifier_r18_scenes.py'
    assert trap.name in refused('predict.py', config, trap, image, '--out-dir', tmp_path / 'out')
    assert trap.name in refused('test.py', config, trap, '--work-dir', tmp_path / 'work')


@pytest.mark.slow
@pytest.mark.parametrize('trap', ['zip.pth', 'legacy.pth'], indirect=True)
@pytest.mark.parametrize('way', ['resume', 'resume by name', 'load_from', 'Pretrained', 'Pretrained with prefix'])
def test_training_refuses_it(trap: Path, refused: Callable, config: Path, way: str) -> None:
    if way == 'resume':
        trap = trap.rename(trap.with_name('epoch_7.pth'))
        options = ['--resume']
    elif way == 'resume by name':
        options = ['--resume', trap]
    elif way == 'load_from':
        options = ['--cfg-options', f'load_from={trap}']
    else:
        init = 'model.backbone.init_cfg'
        options = ['--cfg-options', f'{init}.type=Pretrained', f'{init}.checkpoint={trap}']
        options += [f'{init}.prefix=backbone.'] if 'prefix' in way else []
    assert trap.name in refused('train.py', config, *options)
    assert not (trap.parent / 'epoch_1.pth').exists()


def test_the_comparison_refuses_it_as_weights_of_torchvision(trap: Path, repo: Path, tmp_path: Path) -> None:
    cell = SimpleNamespace(config=repo / 'configs/cmid/cmid_r18_demo.py', weights=str(trap))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repo / 'tools' / 'benchmark'))
        take_weights = runpy.run_path(str(repo / 'tools/benchmark/run_cell.py'))['take_weights']
    with pytest.raises(CheckpointError, match=trap.name):
        take_weights(cell, tmp_path / 'backbone.pth')


@pytest.fixture
def address(trap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The trap behind an address of this machine."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(trap.parent))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/{trap.name}'
        server.shutdown()


def test_what_is_downloaded_is_not_trusted_either(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine's own loader of addresses unpickles whatever comes."""
    with pytest.raises(CheckpointError, match=address.rsplit('/')[-1]):
        CheckpointLoader.load_checkpoint(address)
    monkeypatch.setattr('mmengine.runner.checkpoint.get_torchvision_models', lambda: {'resnet18': address})
    with pytest.raises(CheckpointError, match=address.rsplit('/')[-1]):
        CheckpointLoader.load_checkpoint('torchvision://resnet18')


@pytest.mark.parametrize('trap', ['zip.pth'], indirect=True)
def test_an_open_file_is_not_trusted_either(trap: Path) -> None:
    """As mmengine loads what it fetches from object stores."""
    with open(trap, 'rb') as file, pytest.raises(pickle.UnpicklingError):
        checkpoint._safe_torch_load(file)


# ---- code that a config inside a checkpoint names


def calls(marker: Path) -> dict:
    """A config that makes mmengine's registries run a program."""
    return dict(type='os.system', command=f'touch {marker}')


def test_a_config_in_a_checkpoint_cannot_name_code(refused: Callable, tmp_path: Path, image: Path) -> None:
    """mmengine builds any object of any module whose name is given as a type."""
    marker, path = tmp_path / 'sprung', tmp_path / 'epoch_1.pth'
    weights = {'backbone.conv1.weight': torch.zeros(2)}
    nested = dict(type='ResNet', depth=18, norm_cfg=calls(marker))
    for model in (calls(marker), dict(type='CMID', backbone=nested), dict(type='CMID', backbone=calls(marker))):
        model = dict(backbone=dict(type='MaskedResNet', depth=18)) | model
        torch.save(dict(state_dict=weights, meta=dict(cfg=Config(dict(model=model)).pretty_text)), path)
        with pytest.raises(CheckpointError, match=r"'os\.system', which is no registered component"):
            load_pretraining(path)
        if model['backbone'].get('depth') is None or 'norm_cfg' in model['backbone']:
            assert "'os.system'" in refused('extract_backbone.py', path, tmp_path / 'out.pth')
            assert "'os.system'" in refused('analysis/activations.py', path, image, '--out', tmp_path / 'out.png')
    assert not marker.exists()


def test_facts_of_a_safetensors_file_cannot_name_code(tmp_path: Path) -> None:
    marker, path = tmp_path / 'sprung', tmp_path / 'backbone.safetensors'
    for backbone in (calls(marker), dict(type='ResNet', depth=18, norm_cfg=calls(marker)), dict(type='mmengine.load')):
        save_file({'conv1.weight': torch.zeros(2)}, path, metadata=dict(backbone=json.dumps(backbone)))
        with pytest.raises(CheckpointError, match='which is no registered component'):
            load_backbone(path)
    assert not marker.exists()


def test_text_of_a_config_is_not_run(tmp_path: Path) -> None:
    marker, path = tmp_path / 'sprung', tmp_path / 'epoch_1.pth'
    text = f"model = __import__('os').system('touch {marker}')"
    torch.save(dict(state_dict={'backbone.a': torch.zeros(1)}, meta=dict(cfg=text)), path)
    with pytest.raises((CheckpointError, ValueError)):
        load_backbone(path)
    assert not marker.exists()
