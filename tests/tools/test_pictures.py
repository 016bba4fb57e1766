"""The tools of tools/analysis that draw: pictures where they are expected, and errors of one sentence."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from PIL import Image

from cmid_mm.checkpoints import extract_backbone

TOOLS = ('reconstructions', 'activations', 'correspondence', 'embedding', 'neighbours', 'prototypes')


@pytest.fixture
def tool(repo) -> Callable[..., None]:
    """Call the main function of a tool of tools/analysis."""

    def _tool(name: str, *arguments: str | Path) -> None:
        spec = importlib.util.spec_from_file_location(f'analysis_{name}', repo / 'tools/analysis' / f'{name}.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.main([str(part) for part in arguments])

    return _tool


@pytest.fixture
def trained(tiny_config) -> Path:
    """The last checkpoint of a short run."""
    tiny_config.train_dataloader.dataset.cache = tiny_config.work_dir
    Runner.from_cfg(tiny_config).train()
    return Path(Path(tiny_config.work_dir, 'last_checkpoint').read_text())


@pytest.fixture
def extracted_backbone(tiny_config, tmp_path) -> Path:
    """A backbone of random weights that was extracted."""
    model = MODELS.build(tiny_config.model)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=tiny_config.pretty_text)), tmp_path / 'epoch_1.pth')
    return extract_backbone(tmp_path / 'epoch_1.pth', tmp_path / 'backbone.pth', image_size=64)


def sentence(error: pytest.ExceptionInfo) -> str:
    assert isinstance(error.value.code, str), error.value.code
    assert '\n' not in error.value.code
    return error.value.code


@pytest.mark.slow
def test_every_picture_of_a_run_lands_in_its_work_folder(trained, image_folder, tool, repo, tmp_path, capsys):
    for number, path in enumerate(sorted(image_folder.iterdir())):
        path.rename(path.with_name(f'{"ab"[number % 2]}_{path.name}'))
    for name in 'ab':
        (image_folder / name).mkdir()
        for path in image_folder.glob(f'{name}_*'):
            path.rename(image_folder / name / path.name)
    one, two = sorted((image_folder / 'a').iterdir())[:2]
    small = ('--device', 'cpu')
    tool('reconstructions', trained, image_folder, '--samples', 2, *small)
    tool('activations', trained, one, two, *small)
    tool('correspondence', trained, one, two, '--role', 'teacher', *small)
    tool('embedding', trained, image_folder, *small)
    tool('neighbours', trained, image_folder, '--query', one, *small)
    tool('neighbours', trained, image_folder, '--queries', 2, '--cell', 1, 1, *small)
    tool('prototypes', trained, image_folder, '--rows', 2, '--columns', 3, *small)
    # The config in the work folder, its own images: these were moved, so another data_root.
    config = next(trained.parent.glob('*.py'))
    tool('views', config, '--cfg-options', f'train_dataloader.dataset.data_root={image_folder}')
    drawn = sorted(path.name for path in (trained.parent / 'pictures').iterdir())
    assert drawn == sorted([*(f'{name}.png' for name in (*TOOLS, 'views')), 'neighbours_by-cell.png', 'embedding.html'])
    for path in (trained.parent / 'pictures').glob('*.png'):
        assert np.asarray(Image.open(path).convert('L')).std() > 10, path
    assert capsys.readouterr().out.count('wrote ') == 8


def test_a_copy_among_real_images_is_the_nearest_of_all(data_root, extracted_backbone, tool, tmp_path):
    """The query lies in the folder too, so the second image of the row repeats the first."""
    folder = tmp_path / 'scenes'
    for name in ('beach', 'forest', 'harbor'):
        (folder / name).mkdir(parents=True)
        for path in sorted((data_root / 'ucmerced' / name).iterdir())[:6]:
            (folder / name / path.name).symlink_to(path)
    (query,) = sorted((folder / 'harbor').iterdir())[:1]
    out = ('--size', 96, '--count', 3, '--out', tmp_path / 'n.png')
    tool('neighbours', extracted_backbone, folder, '--query', query, *out)
    picture = np.asarray(Image.open(tmp_path / 'n.png').convert('L')).astype(float)
    columns = np.array_split(picture[40:150], 4, axis=1)
    inner = [column[:80, 30:110] for column in columns]
    best = [cv2.matchTemplate(inner[0].astype(np.float32), part[20:60, 20:60].astype(np.float32), 5) for part in inner]
    assert best[1].max() > 0.95 > max(part.max() for part in best[2:])


def test_a_checkpoint_that_is_not_there_or_cannot_do_it(tool, image_folder, extracted_backbone, tmp_path):
    out = ('--out', tmp_path / 'out.png')
    for name in TOOLS:
        with pytest.raises(SystemExit) as error:
            tool(name, tmp_path / 'gone.pth', image_folder, *out)
        assert sentence(error).startswith(f'{name}: ')
        assert 'gone.pth is no checkpoint file; check the path' in sentence(error)
    for name in ('reconstructions', 'prototypes'):
        with pytest.raises(SystemExit) as error:
            tool(name, extracted_backbone, image_folder, *out)
        assert 'is a backbone without the heads of its training' in sentence(error)
    with pytest.raises(SystemExit) as error:
        tool('activations', extracted_backbone, image_folder)
    assert 'lies in no work folder of tools/train.py; say by --out where to write' in sentence(error)
    assert not (tmp_path / 'out.png').exists()


def test_images_that_are_not_there_or_damaged(tool, image_folder, extracted_backbone, tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'broken.png').write_bytes(b'\x89PNG\r\n\x1a\n')
    out = ('--out', tmp_path / 'out.png', '--size', 64)
    for name, place, words in (
        ('activations', 'empty', 'no image was found in'),
        ('activations', 'gone', 'is neither an image file nor a folder'),
        ('activations', 'broken.png', 'cannot be read as an image'),
        ('correspondence', 'broken.png', 'cannot be read as an image'),
        ('correspondence', 'empty', 'is a folder; give one image, or two dates of one place'),
        ('embedding', 'empty', 'no image was found in'),
        ('embedding', 'gone', 'is no folder'),
        ('neighbours', 'empty', 'no image was found in'),
    ):
        with pytest.raises(SystemExit) as error:
            tool(name, extracted_backbone, tmp_path / place, *out)
        assert words in sentence(error), (name, place)
    for arguments, words in (
        (('embedding', image_folder, '--method', 'tsne', '--size', 50), '--size 50 is no multiple of 32'),
        (('neighbours', image_folder, '--cell', 9, 0, '--size', 64), 'cell 9 0 lies outside maps of 2 x 2 cells'),
        (('neighbours', image_folder, '--count', 24, '--size', 64), 'holds 24 readable images; give a folder with 25'),
    ):
        with pytest.raises(SystemExit) as error:
            tool(arguments[0], extracted_backbone, *arguments[1:], '--out', tmp_path / 'out.png')
        assert words in sentence(error)


def test_a_broken_file_of_a_folder_is_named_and_left_out(tool, image_folder, extracted_backbone, tmp_path, capsys):
    (image_folder / '00.png').write_bytes(b'no image')
    tool('activations', extracted_backbone, image_folder, '--size', 64, '--samples', 3, '--out', tmp_path / 'a.png')
    printed = capsys.readouterr().out
    assert f'left out: {image_folder / "00.png"} cannot be read as an image' in printed
    assert 'wrote ' in printed


def test_views_of_a_config_that_is_wrong(tool, repo, tmp_path):
    config = repo / 'configs/cmid/cmid_r18_ucmerced.py'
    for arguments, words in (
        ((tmp_path / 'gone.py',), 'gone.py'),
        ((config, '--cfg-options', f'train_dataloader.dataset.data_root={tmp_path / "gone"}'), 'is no folder; correct'),
        ((config, '--samples', 0), '--samples 0 shows nothing'),
    ):
        with pytest.raises(SystemExit) as error:
            tool('views', *arguments)
        assert words in sentence(error)
