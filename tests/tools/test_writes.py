"""Tools write where they are told to, and nowhere else: not beside the data, not in the current or home folder."""

import runpy
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

# The index of a data set (docs/datasets.md), matplotlib's fonts and yapf's grammar (in mmengine) are kept for later.
KEPT = ('.cache/cmid_mm/index', '.cache/matplotlib', '.config/matplotlib', '.cache/YAPF')


@pytest.fixture
def changed_by(
    repo: Path, run_tool: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., set[str]]:
    """Run a tool, from a folder of its own, and return what has changed below ``tmp_path``.

    It runs in this process, or in one of its own if it leaves a log open.
    """
    for name in ('home', 'here', 'temporary'):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('TMPDIR', str(tmp_path / 'temporary'))
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setattr(tempfile, 'tempdir', None)
    kept = [tmp_path / 'home' / name for name in KEPT]

    def look() -> dict[Path, tuple]:
        files = [path for path in tmp_path.rglob('*') if not path.is_dir()]
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}

    def _changed_by(tool: str, *arguments: object, alone: bool = False) -> set[str]:
        before = look()
        if alone:
            run_tool(tool, *arguments)
        else:
            monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
            runpy.run_path(str(repo / 'tools' / tool), run_name='__main__')
        after = look()
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        changed = {path for path in changed if not any(path.is_relative_to(folder) for folder in kept)}
        return {path.relative_to(tmp_path).parts[0] for path in changed}

    return _changed_by


def test_packing_and_drawing_write_to_their_folder(changed_by: Callable, image_folder: Path, tmp_path: Path) -> None:
    assert changed_by('datasets/pack.py', image_folder, tmp_path / 'pack', '--workers', 1) == {'pack'}
    assert changed_by('datasets/pack.py', tmp_path / 'pack', '--verify') == set()


@pytest.mark.slow
def test_a_run_and_what_follows_write_to_their_folders(
    changed_by: Callable, tiny_config: Config, image_folder: Path, tmp_path: Path
) -> None:
    tiny_config.work_dir = str(tmp_path / 'not_this')
    tiny_config.dump(tmp_path / 'config.py')
    trained = (tmp_path / 'config.py', '--work-dir', tmp_path / 'work')
    assert changed_by('train.py', *trained, alone=True) == {'work'}
    trained = tmp_path / 'work/epoch_2.pth'
    for tool in ('reconstructions', 'prototypes', 'activations'):
        drawn = (trained, image_folder, '--out', tmp_path / tool / 'a.png')
        assert changed_by(f'analysis/{tool}.py', *drawn) == {tool}
    backbone = tmp_path / 'backbone.pth'
    assert changed_by('extract_backbone.py', trained, backbone, '--image-size', 64) == {'backbone.pth'}
    torch.save(dict(state_dict=torch.load(backbone)['state_dict']), tmp_path / 'plain.pth')
    converted = (tmp_path / 'plain.pth', tmp_path / 'converted.safetensors', '--from', 'openmmlab')
    assert changed_by('convert_checkpoint.py', *converted) == {'converted.safetensors'}
