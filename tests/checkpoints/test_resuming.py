"""Damage is found at any byte, the newest whole checkpoint is taken, and the right ones are removed."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from cmid_mm.checkpoints import CheckpointError, load_checkpoint
from cmid_mm.checkpoints.resuming import check_same_config, newest_whole, superseded
from cmid_mm.checkpoints.writing import remove_unfinished, replacing

CONTENT = dict(
    meta=dict(epoch=3, iter=18, cfg='model = dict(type="CMID")'),
    state_dict=dict(weight=torch.arange(300.0), bias=torch.ones(7, dtype=torch.float64)),
    optimizer=dict(state={0: dict(step=torch.tensor(18), exp_avg=torch.linspace(0, 1, 300))}),
)
# The same file again and again: examples of hypothesis do not depend on each other.
repeatedly = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def flattened(value) -> list:
    """All leaves of a checkpoint, tensors as lists."""
    if isinstance(value, dict):
        return [leaf for key in value for leaf in [key, *flattened(value[key])]]
    return [value.dtype, value.tolist()] if isinstance(value, torch.Tensor) else [value]


@pytest.fixture
def saved(tmp_path) -> Path:
    torch.save(CONTENT, tmp_path / 'epoch_3.pth')
    return tmp_path / 'epoch_3.pth'


@repeatedly
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_checkpoint_cut_at_any_byte_is_refused(saved, share):
    whole = saved.read_bytes()
    cut = saved.with_name('cut.pth')
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r'cut\.pth .*damaged'):
        load_checkpoint(cut)


@repeatedly
@given(share=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255), length=st.integers(1, 600))
def test_changed_bytes_are_refused_or_change_nothing(saved, share, bits, length):
    """Some bytes, such as those that align tensors, are of no consequence."""
    content = bytearray(saved.read_bytes())
    first = int(share * len(content))
    content[first : first + length] = bytes(byte ^ bits for byte in content[first : first + length])
    changed = saved.with_name('changed.pth')
    changed.write_bytes(content)
    with suppress(CheckpointError):
        assert flattened(load_checkpoint(changed)) == flattened(CONTENT)


def test_one_bit_of_a_tensor_is_found(saved):
    content = bytearray(saved.read_bytes())
    content[content.index(torch.arange(300.0).numpy().tobytes()) + 100] ^= 1
    saved.write_bytes(content)
    with pytest.raises(CheckpointError, match=r'damaged: the checksum of epoch_3/data/\d in it does not fit'):
        load_checkpoint(saved)


@settings(max_examples=50, deadline=None)
@given(
    last=st.integers(-1, 4),
    every=st.one_of(st.none(), st.integers(1, 5)),
    best=st.integers(0, 30),
    epochs=st.integers(1, 30),
)
def test_after_each_save_the_last_the_regular_and_the_best_are_there(last, every, best, epochs):
    there = []
    for epoch in range(1, epochs + 1):
        there.append(str(epoch))
        regular = {name for name in there if every and int(name) % every == 0}
        for name in superseded(there, last, regular | {str(best)}):
            there.remove(name)
        expected = range(1, epoch + 1)
        if last > 0:
            expected = [e for e in expected if e > epoch - last or (every and e % every == 0) or e == best]
        assert there == [str(e) for e in expected]


def test_the_newest_whole_checkpoint_is_taken_and_the_damaged_are_named(tmp_path):
    for number, name in enumerate(['epoch_9.pth', 'epoch_10.pth', 'iter_70.pth', 'epoch_11.pth', 'other_12.pth']):
        torch.save(CONTENT, tmp_path / name)
        os.utime(tmp_path / name, ns=(0, number))
    patterns = ['epoch_*.pth', 'iter_*.pth']
    assert newest_whole(tmp_path, patterns) == (tmp_path / 'epoch_11.pth', [])
    for name in ('epoch_11.pth', 'iter_70.pth'):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-100])
        os.utime(tmp_path / name, ns=(0, 100))
    path, damaged = newest_whole(tmp_path, patterns)
    assert path == tmp_path / 'epoch_10.pth'
    assert len(damaged) == 2
    for name in ('epoch_9.pth', 'epoch_10.pth'):
        (tmp_path / name).write_bytes(b'')
    with pytest.raises(CheckpointError, match=r'none of the 4 checkpoints in .* is whole'):
        newest_whole(tmp_path, patterns)
    assert newest_whole(tmp_path / 'elsewhere', patterns) == (None, [])


def test_a_file_is_replaced_at_once_or_not_at_all(tmp_path):
    out = tmp_path / 'weights.pth'
    out.write_text('old')
    with replacing(out) as unfinished:
        unfinished.write_text('new')
        assert out.read_text() == 'old'
    assert out.read_text() == 'new'
    with pytest.raises(IsADirectoryError), replacing(out) as unfinished:  # noqa: PT012  both within
        unfinished.write_text('half')
        tmp_path.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ['weights.pth']
    assert out.read_text() == 'new'


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    for name in ('.epoch_3.pth.4711.unfinished', 'epoch_2.pth', '.hidden', 'notes.unfinished'):
        (tmp_path / name).touch()
    assert [path.name for path in remove_unfinished(tmp_path)] == ['.epoch_3.pth.4711.unfinished']
    assert {path.name for path in tmp_path.iterdir()} == {'epoch_2.pth', '.hidden', 'notes.unfinished'}


KEYS = ('model', 'optim_wrapper', 'train_dataloader.batch_size')


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        ({'model.backbone.depth': 50}, 'model.backbone.depth is 50 there and 18 here'),
        ({'model.backbone.frozen': (1, 2)}, r'model.backbone.frozen is \(1, 2\) there and not set here'),
        ({'model.heads.1.dim': 7}, 'model.heads.1.dim is 7 there and 4 here'),
        ({'model.heads': []}, r"model.heads is \[\] there and \[\{'dim': 3\}, \{'dim': 4\}\] here"),
        ({'optim_wrapper.optimizer.lr': 0.2}, r'optim_wrapper.optimizer.lr is 0.2 there and 0.1 here'),
        ({'train_dataloader.batch_size': 8}, 'train_dataloader.batch_size is 8 there and 4 here'),
    ],
)
def test_the_first_difference_of_two_configs_is_named(change, sentence):
    here, there = config(), config()
    there.merge_from_dict(change)
    with pytest.raises(CheckpointError, match=f'a.pth was written by another config: {sentence}; resume'):
        check_same_config('a.pth', there.pretty_text, here.pretty_text, KEYS)


def test_what_leaves_the_run_the_same_may_differ():
    here, there = config(), config()
    there.merge_from_dict(
        {
            'model.backbone.init_cfg': dict(type='Pretrained', checkpoint='moved.pth'),
            'model.compile_networks': True,
            'optim_wrapper.type': 'AmpOptimWrapper',
            'optim_wrapper.dtype': 'bfloat16',
            'model.backbone.out_indices': [0, 1],
            'train_dataloader.num_workers': 8,
            'train_cfg.max_epochs': 7,
            'work_dir': 'elsewhere',
        }
    )
    check_same_config('a.pth', there.pretty_text, here.pretty_text, KEYS)


def config() -> Config:
    return Config(
        dict(
            model=dict(
                type='CMID',
                backbone=dict(type='MaskedResNet', depth=18, out_indices=(0, 1)),
                heads=[dict(dim=3), dict(dim=4)],
            ),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adan', lr=0.1)),
            train_dataloader=dict(batch_size=4, num_workers=0),
            train_cfg=dict(max_epochs=2),
            work_dir='here',
        )
    )
