"""Unreadable images are listed in the work folder, and more than the allowed share stops a run."""

from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from PIL import Image

from cmid_mm.datasets.unreadable_list import append_unreadable, read_unreadable
from cmid_mm.engine.hooks.unreadable_hook import UnreadableImagesHook

LIST = 'unreadable_images.txt'


class Mean(BaseModel):
    """The least model that a Runner trains."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs: list, data_samples: list, mode: str) -> dict:
        return {'loss': self.weight * sum(image.float().mean() for image in inputs)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / 'images'
    root.mkdir()
    for number in range(100):
        Image.new('RGB', (64, 64)).save(root / f'{number:03}.png')
    return root


def spoil(root: Path, *numbers: int) -> None:
    for number in numbers:
        (root / f'{number:03}.png').write_bytes(b'')


def train(root: Path, epochs: int, done: int = 0, **kwargs) -> UnreadableImagesHook:
    """Train for ``epochs``, of which a run that is resumed has ``done`` the first."""
    hook = UnreadableImagesHook(**kwargs)
    runner = Runner(
        model=Mean(),
        work_dir=str(root.parent / 'work'),
        train_dataloader={
            'batch_size': 10,
            'num_workers': 0,
            'sampler': {'type': 'EpochSampler'},
            'batch_sampler': {'type': 'GlobalBatchSampler'},
            'dataset': {
                'type': 'UnlabelledImages',
                'data_root': str(root),
                'pipeline': [{'type': 'LoadAerialImage'}, {'type': 'PackInputs'}],
                'cache': str(root.parent / 'cache'),
            },
        },
        train_cfg={'by_epoch': True, 'max_epochs': epochs},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.01}},
        default_scope='mmpretrain',
        experiment_name=f'{root.parent.name}_{id(hook)}',
        custom_hooks=[hook],
        randomness={'seed': 0},
    )
    loop = runner._train_loop = runner.build_train_loop(runner._train_loop)
    loop._epoch, loop._iter = done, 10 * done  # what Runner.resume takes from a checkpoint
    runner.train()
    return hook


def test_one_in_a_hundred_is_listed_once(folder: Path) -> None:
    spoil(folder, 42)
    train(folder, epochs=2)
    lines = (folder.parent / 'work' / LIST).read_text().splitlines()
    assert lines == [f'{folder / "042.png"}\tthe file is empty']


def test_more_than_one_percent_stops(folder: Path) -> None:
    spoil(folder, 42, 43)
    with pytest.raises(RuntimeError, match=r'2 of 100 images could not be read.*=1\.00%'):
        train(folder, epochs=1)
    listed = read_unreadable(str(folder.parent / 'work' / LIST))
    assert sorted(listed) == [str(folder / '042.png'), str(folder / '043.png')]
    assert train(folder, epochs=1, max_fraction=0.02).known.keys() == listed.keys()


def test_resumed_run_remembers(folder: Path) -> None:
    """The second bad image alone would be 1%; with the one before the stop it is more."""
    spoil(folder, 42)
    train(folder, epochs=1)
    Image.new('RGB', (64, 64)).save(folder / '042.png')
    spoil(folder, 7)
    with pytest.raises(RuntimeError, match='2 of 100'):
        train(folder, epochs=2, done=1)


def test_new_run_starts_a_new_list(folder: Path) -> None:
    spoil(folder, 42)
    train(folder, epochs=1)
    Image.new('RGB', (64, 64)).save(folder / '042.png')
    train(folder, epochs=1)
    assert not (folder.parent / 'work' / LIST).exists()


def test_no_bad_image_no_list(folder: Path) -> None:
    train(folder, epochs=1)
    assert not (folder.parent / 'work' / LIST).exists()


def test_clear_cases_stop_before_the_whole_set_is_seen() -> None:
    """In a million images, 30 bad ones of the first 500 are no chance; 30 of 20,000 are nothing."""
    hook = UnreadableImagesHook()
    hook._path = 'list.txt'
    hook._found, hook._drawn = 30, 20_000
    hook._stop_if_too_many(1_000_000)
    hook._drawn = 500
    with pytest.raises(RuntimeError, match='30 of 500 images'):
        hook._stop_if_too_many(1_000_000)


def test_list_ahead_of_the_checkpoint_does_not_stop_a_resumed_run() -> None:
    """5,000 bad ones of a million are allowed, however few samples the resumed run has drawn."""
    hook = UnreadableImagesHook()
    hook.known = {str(number): 'cut' for number in range(5000)}
    hook._found, hook._drawn = 0, 64
    hook._stop_if_too_many(1_000_000)


def test_list_keeps_odd_names(tmp_path: Path) -> None:
    odd = {'/a\tb\n.jpg': 'cut', '/back\\n.jpg': 'empty', '/caf\udce9.jpg': 'gone', '/é/日.png': 'x'}
    append_unreadable(str(tmp_path / 'list.txt'), odd)
    assert read_unreadable(str(tmp_path / 'list.txt')) == odd


def test_half_a_line_of_a_killed_run_is_left_out(tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_text('/a.jpg\tcut\n/b.jp')
    assert read_unreadable(str(tmp_path / 'list.txt')) == {'/a.jpg': 'cut'}


@pytest.mark.parametrize('kwargs', [{'max_fraction': 1.5}, {'interval': 0}])
def test_senseless_arguments(kwargs: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        UnreadableImagesHook(**kwargs)
