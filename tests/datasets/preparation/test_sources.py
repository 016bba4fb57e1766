"""Archives and folders: read alike, and nothing gets out of them."""

import stat
import zipfile
from pathlib import Path

import pytest

from cmid_mm.datasets.preparation import PreparationError
from cmid_mm.datasets.preparation.sources import by_key, list_files
from cmid_mm.datasets.preparation.writing import replacing


def test_a_folder_and_its_archive_read_the_same(tmp_path, pack):
    folder = tmp_path / 'data'
    (folder / 'images').mkdir(parents=True)
    (folder / 'images' / 'a.png').write_bytes(b'first')
    (folder / 'images' / 'b.png').write_bytes(b'second')
    (folder / '__MACOSX').mkdir()
    (folder / '__MACOSX' / 'a.png').write_bytes(b'resource fork')
    (folder / 'images' / '._a.png').write_bytes(b'resource fork')
    inside, zipped = list_files([folder]), list_files([pack(folder)])
    assert [file.location for file in inside] == ['data/images/a.png', 'data/images/b.png']
    assert [(file.location, file.size) for file in zipped] == [(file.location, file.size) for file in inside]
    assert [file.read() for file in zipped] == [file.read() for file in inside] == [b'first', b'second']
    assert [file.checksum() for file in zipped] == [file.checksum() for file in inside]


def test_archives_in_a_folder_count_as_folders(tmp_path, pack):
    part = tmp_path / 'DOTA' / 'train' / 'images' / 'part1'
    part.mkdir(parents=True)
    (part / 'P1.png').write_bytes(b'1')
    pack(part)
    (part / 'P1.png').unlink()
    assert [file.location for file in list_files([tmp_path / 'DOTA'])] == ['DOTA/train/images/part1/P1.png']


@pytest.mark.parametrize(
    'member', ['../out.txt', 'a/../../out.txt', '/etc/out.txt', 'a\\..\\..\\out.txt', 'C:/out.txt']
)
def test_members_that_lead_out_are_refused(tmp_path, member):
    path = tmp_path / 'evil.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('fine.txt', 'fine')
        archive.writestr(member, 'evil')
    with pytest.raises(PreparationError, match=r'evil\.zip is not safe to unpack: its member .* leads out'):
        list_files([path])
    with pytest.raises(PreparationError, match='leads out'):
        list_files([tmp_path])


def test_links_in_an_archive_are_refused(tmp_path):
    path = tmp_path / 'evil.zip'
    link = zipfile.ZipInfo('images')
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr(link, '/etc')
    with pytest.raises(PreparationError, match=r"evil\.zip .* its member 'images' is a link"):
        list_files([path])


def _flip(path: Path, position: int, bits: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= bits
    path.write_bytes(data)


def test_an_encrypted_archive_says_so(tmp_path):
    path = tmp_path / 'locked.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a.txt', 'text')
    _flip(path, path.read_bytes().index(b'PK\1\2') + 8, 1)
    with pytest.raises(PreparationError, match=r'locked\.zip is encrypted'):
        list_files([path])


def test_damage_names_archive_and_member(tmp_path):
    path = tmp_path / 'damaged.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('folder/a.txt', 'text that will change')
    _flip(path, path.read_bytes().index(b'text that'), 255)
    (file,) = list_files([path])
    with pytest.raises(PreparationError, match=r'damaged\.zip/folder/a\.txt cannot be read \(Bad CRC'):
        file.read()
    with (
        pytest.raises(PreparationError, match=r'damaged\.zip/folder/a\.txt cannot be read'),
        (tmp_path / 'copy').open('wb') as target,
    ):
        file.copy_to(target)


def test_half_a_download_names_the_archive(tmp_path):
    path = tmp_path / 'half.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a.txt', 'text' * 1000)
    path.write_bytes(path.read_bytes()[:500])
    for source in (path, tmp_path):
        with pytest.raises(PreparationError, match=r'half\.zip is no'):
            list_files([source])


def test_what_is_no_source_is_named(tmp_path):
    with pytest.raises(PreparationError, match='nowhere does not exist'):
        list_files([tmp_path / 'nowhere'])
    with pytest.raises(PreparationError, match='holds no files'):
        list_files([tmp_path])
    (tmp_path / 'CDD.rar').write_bytes(b'Rar!')
    with pytest.raises(PreparationError, match=r'CDD\.rar is no folder and no whole zip archive; unpack it'):
        list_files([tmp_path / 'CDD.rar'])
    (tmp_path / 'gone').symlink_to(tmp_path / 'nowhere')
    with pytest.raises(PreparationError, match='gone is a link to nothing'):
        list_files([tmp_path])


def test_archives_within_an_archive_are_to_be_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / 'Potsdam.zip', 'w') as archive:
        archive.writestr('Potsdam/2_Ortho_RGB.zip', 'PK')
    with pytest.raises(PreparationError, match=r'Potsdam\.zip holds further archives \(2_Ortho_RGB\.zip\); unpack it'):
        list_files([tmp_path / 'Potsdam.zip'])


def test_copies_count_once_and_contradictions_stop(tmp_path, pack):
    folder = tmp_path / 'data'
    folder.mkdir()
    (folder / 'a.txt').write_text('same')
    archive = pack(folder)
    files = list_files([folder, archive])
    assert by_key(files, lambda file: file.name) == {'a.txt': files[0]}
    (folder / 'a.txt').write_text('diff')
    with pytest.raises(PreparationError, match=r'data/a\.txt and .*data\.zip/a\.txt are different files'):
        by_key(list_files([folder, archive]), lambda file: file.name)


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('before')

    def interrupted() -> None:
        with replacing(path) as part:
            part.write_text('half')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == 'before'
    assert list(tmp_path.iterdir()) == [path]
