"""The command line of the packing tool: what it prints, refuses, verifies and takes up again."""

import os
import runpy
import shutil
import signal
import subprocess
import sys
import time

import lmdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cmid_mm.datasets import UnlabelledImages
from cmid_mm.datasets.packed import Pack, key_of
from cmid_mm.datasets.unreadable_list import read_unreadable


@pytest.fixture
def tool(repo):
    return repo / 'tools' / 'datasets' / 'pack.py'


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


@pytest.fixture
def call(tool):
    """Run the tool in this process."""

    def _call(*arguments, workers=1):
        runpy.run_path(str(tool))['main']([*map(str, arguments), '--workers', str(workers)])

    return _call


@pytest.fixture
def refused(call):
    """Run the tool and return the sentence that it ends with."""

    def _refused(*arguments, **options):
        with pytest.raises(SystemExit) as ended:
            call(*arguments, **options)
        assert ended.value.code.startswith('pack: ')
        assert '\n' not in ended.value.code
        return ended.value.code

    return _refused


@pytest.fixture
def folder(tmp_path):
    return draw(tmp_path / 'images', 30)


def draw(folder, count, side=80):
    """Small JPEG files of noise."""
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((side, side)).save(folder / f'{number:04d}.jpg')
    return folder


def entries(pack):
    """All keys and values."""
    with lmdb.open(str(pack), readonly=True, lock=False, max_dbs=1) as environment:
        with environment.begin() as transaction:
            images = list(transaction.cursor())
        table = environment.open_db(b'#sources', create=False)
        with environment.begin() as transaction:
            return images[1:], list(transaction.cursor(table))


def others(pack):
    return {path.name: path.read_bytes() for path in pack.iterdir() if path.name != 'data.mdb'}


def test_help_says_how_to_read_the_pack(call, capsys):
    with pytest.raises(SystemExit) as ended:
        call('--help')
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for word in ("data_root='OUT'", '--crop-size', '--min-area', '--verify', '--jobs', 'SOURCE'):
        assert word in text


def test_what_was_done_is_printed(call, folder, tmp_path, capsys):
    out = tmp_path / 'out.lmdb'
    call(folder, out, '--crop-size', 32)
    printed = capsys.readouterr().out
    assert f'{out}: 30 written\n30 images: 0.1 MB of files' in printed
    assert 'packing images: 30/30' in printed
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    call(folder, out, '--crop-size', 32)
    assert f'{out} is complete (30): nothing to do' in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    call(out, '--verify')
    assert 'verified: every entry is what was written' in capsys.readouterr().out


def test_processes_do_not_change_the_pack(call, folder, tmp_path):
    call(folder, tmp_path / 'one', '--crop-size', 32)
    call(folder, tmp_path / 'two', '--crop-size', 32, workers=2)
    assert entries(tmp_path / 'one') == entries(tmp_path / 'two')
    assert others(tmp_path / 'one') == others(tmp_path / 'two')


# ---- refused


def test_wrong_arguments_end_with_one_sentence(refused, folder, tmp_path):
    out = tmp_path / 'out'
    empty = tmp_path / 'empty'
    empty.mkdir()
    for arguments, message in [
        ((out,), f'{out} alone is given; give the folders of the images'),
        ((tmp_path / 'nowhere', out), f'{tmp_path}/nowhere is no folder'),
        ((empty, out), f'no image was found in {empty}'),
        ((folder, folder / 'pack'), f'{folder}/pack lies in {folder}'),
        ((folder, out, '--crop-size', 0), '--crop-size 0 is too small'),
        ((folder, out, '--min-area', 2), '--min-area 2.0 is no share'),
        ((folder, out, '--quality', 101), '--quality 101 is none'),
        ((folder, out, '--bands', 1, 2), '--bands 1 2: give one or three'),
        ((folder, out, '--value-range', 5, 5), '--value-range 5.0 5.0: give the lower first'),
        ((folder, out, '--max-unreadable', 3), '--max-unreadable 3.0 is no share'),
        ((folder, out, '--list-file', tmp_path / 'no.txt'), f'the list {tmp_path}/no.txt does not exist'),
        ((folder, out, '--list-file', 'a', '--list-file', 'b'), '2 list files are given for 1 folders'),
        ((folder, '--verify'), f'{folder} is no pack'),
        ((folder, out, '--verify'), f'--verify reads one pack; give {out} alone'),
    ]:
        assert message in refused(*arguments)
        assert not out.exists()
    assert '--workers 0 is too few' in refused(folder, out, workers=0)


def test_wrong_bands_end_with_the_file(refused, folder, tmp_path):
    assert f'{folder}/0000.jpg: bands=(4, 2, 1) are asked of it' in refused(
        folder, tmp_path / 'out', '--bands', 4, 2, 1
    )


def test_a_list_that_leads_out_is_refused(refused, folder, tmp_path):
    (tmp_path / 'list.txt').write_text('../0001.jpg\n')
    assert 'which leads out of data_root' in refused(folder, tmp_path / 'out', '--list-file', tmp_path / 'list.txt')


def test_a_folder_of_other_files_is_not_written_to(refused, folder, tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'mine.txt').touch()
    assert f'{tmp_path}/out holds files that this tool has not written' in refused(folder, tmp_path / 'out')


def test_other_arguments_or_a_changed_source_are_refused(call, refused, folder, tmp_path):
    out = tmp_path / 'out'
    call(folder, out)
    for arguments, message in [
        (('--crop-size', 128), 'crop_size=224 where 128 is asked for'),
        (('--quality', 90), 'quality=95 where 90'),
        (('--lossless',), 'lossless=False where True'),
        (('--bands', 0), 'bands=None where [0]'),
    ]:
        assert message in refused(folder, out, *arguments)
    assert f'{out} is a pack already' in refused(out, tmp_path / 'again')
    with (folder / '0007.jpg').open('ab') as file:
        file.write(b'0')
    assert f'{folder}/0007.jpg has changed since {out} was packed' in refused(folder, out)
    (folder / '0007.jpg').unlink()
    sentence = refused(folder, out)
    assert 'says that source was made from number of images=30, and now it is 29' in sentence


# ---- unreadable images


def test_unreadable_images_are_left_out_and_listed(call, refused, folder, tmp_path, capsys):
    for number in (3, 4):
        path = folder / f'{number:04d}.jpg'
        path.write_bytes(path.read_bytes()[:200])
    out = tmp_path / 'out'
    sentence = refused(folder, out)
    assert '2 of 30 images cannot be read, more than --max-unreadable 0.01' in sentence
    assert f'{out}/unreadable_images.txt' in sentence
    with pytest.raises(ValueError, match='unfinished pack'):
        UnlabelledImages(str(out))
    call(folder, out, '--max-unreadable', 0.1)
    assert '2 unreadable images were left out' in capsys.readouterr().out
    listed = read_unreadable(str(out / 'unreadable_images.txt'))
    assert list(listed) == [str(folder / '0003.jpg'), str(folder / '0004.jpg')]
    assert 'truncated' in listed[str(folder / '0003.jpg')].lower()
    images = Pack(str(out))
    assert [images.relative(number) for number in range(28)] == [
        f'{number:04d}.jpg' for number in range(30) if number not in (3, 4)
    ]
    assert images.stored(3) == (folder / '0005.jpg').read_bytes()
    del images  # LMDB refuses to open a file twice in one process
    call(out, '--verify')


def test_none_readable(refused, folder, tmp_path):
    for path in folder.iterdir():
        path.write_bytes(b'')
    assert 'none of the 30 images can be read' in refused(folder, tmp_path / 'out', '--max-unreadable', 1)


# ---- verified


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(number=st.integers(0, 29), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found(call, refused, tmp_path, number, place, bit):
    folder, out, spoilt = tmp_path / 'images', tmp_path / 'out', tmp_path / 'spoilt'
    if not out.exists():
        call(draw(folder, 30), out)
    shutil.rmtree(spoilt, ignore_errors=True)
    shutil.copytree(out, spoilt)
    entry = (folder / f'{number:04d}.jpg').read_bytes()
    changed = bytearray(entry)
    changed[int(place * len(entry))] ^= 1 << bit
    # LMDB may leave a copy of a small entry on a page that it has given up.
    (spoilt / 'data.mdb').write_bytes((spoilt / 'data.mdb').read_bytes().replace(entry, changed))
    sentence = refused(spoilt, '--verify')
    assert '1 of the 30 entries' in sentence
    assert f'{key_of(number)} ({number:04d}.jpg, changed)' in sentence


def test_a_missing_entry_and_changed_names_are_found(call, refused, folder, tmp_path):
    out = tmp_path / 'out'
    call(folder, out)
    names = (out / 'images.index').read_bytes()
    (out / 'images.index').write_bytes(names.replace(b'0012.jpg', b'0021.jpg'))
    assert f'{out}/images.index is not what was written' in refused(out, '--verify')
    (out / 'images.index').write_bytes(names)
    with lmdb.open(str(out), max_dbs=1) as environment, environment.begin(write=True) as transaction:
        transaction.put(key_of(7).encode(), transaction.get(key_of(8).encode()))
        transaction.delete(key_of(11).encode())
    size = (out / 'data.mdb').stat().st_size
    text = (out / 'pack.json').read_text()
    (out / 'pack.json').write_text(text.replace(f'"bytes": {packed_size(text)}', f'"bytes": {size}'))
    sentence = refused(out, '--verify')
    assert '0000000007 (0007.jpg, changed), 0000000011 (0011.jpg, missing)' in sentence
    assert 'has 29 entries' in refused(folder, out)


def test_a_pack_cut_short_is_refused(call, refused, folder, tmp_path):
    out = tmp_path / 'out'
    call(folder, out)
    os.truncate(out / 'data.mdb', 5000)
    for arguments in ((folder, out), (out, '--verify')):
        assert f'data.mdb of the pack {out} has 5000 bytes instead of' in refused(*arguments)


def packed_size(text):
    return text.split('"bytes": ')[1].split(',')[0]


# ---- interrupted


@pytest.mark.slow
@pytest.mark.parametrize('workers', [1, 2])
def test_killed_and_resumed_equals_uninterrupted(tool, tmp_path, workers):
    folder = draw(tmp_path / 'images', 40)
    for number in range(40, 4000):
        os.link(folder / f'{number % 40:04d}.jpg', folder / f'{number:04d}.jpg')
    (folder / '2000.png').write_bytes(b'no image')

    def command(out):
        return [sys.executable, str(tool), str(folder), str(out), '--crop-size', '32', '--workers', str(workers)]

    for _ in range(2):
        process = subprocess.Popen(command(tmp_path / 'out'), start_new_session=True, stdout=subprocess.DEVNULL)
        data = tmp_path / 'out' / 'data.mdb'
        before = data.stat().st_size if data.exists() else 0
        end = time.monotonic() + 120
        while process.poll() is None and (not data.exists() or data.stat().st_size < before + 500_000):
            assert time.monotonic() < end
            time.sleep(0.001)
        assert process.poll() is None, 'the run ended before it could be killed'
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with pytest.raises(ValueError, match='unfinished pack; run the command'):
            UnlabelledImages(str(tmp_path / 'out'))
    for out in (tmp_path / 'out', tmp_path / 'whole'):
        run = subprocess.run(command(out), capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
    assert entries(tmp_path / 'out') == entries(tmp_path / 'whole')
    assert others(tmp_path / 'out') == others(tmp_path / 'whole')
    assert len(Pack(str(tmp_path / 'out'))) == 4000
    run = subprocess.run([sys.executable, str(tool), str(tmp_path / 'out'), '--verify'], check=False)
    assert run.returncode == 0


@pytest.mark.slow
def test_a_disk_that_is_full_ends_with_a_sentence_and_is_taken_up_again(tool, tmp_path):
    folder = draw(tmp_path / 'images', 40, side=400)
    for number in range(40, 1200):
        os.link(folder / f'{number % 40:04d}.jpg', folder / f'{number:04d}.jpg')
    command = [sys.executable, tool, folder, f'{tmp_path}/out', '--workers', '1']
    # The shell's limit on the size of a file, in KB, stands for a disk that is full.
    run = subprocess.run(
        ['bash', '-c', 'trap "" XFSZ; ulimit -f 5000; "$@"', 'bash', *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith(f'pack: {tmp_path}/out/data.mdb cannot be read or written (')
    assert 'Traceback' not in run.stderr
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert f'{tmp_path}/out: ' in run.stdout
    assert 'were there' in run.stdout
