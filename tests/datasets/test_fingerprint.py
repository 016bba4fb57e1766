"""The fingerprint of a data set is the same wherever it lies, and another one as soon as a file is."""

import shutil

import pytest
from mmengine.dataset import BaseDataset, ConcatDataset
from PIL import Image
from torch.utils.data import TensorDataset

from cmid_mm.datasets import UnlabelledImages
from cmid_mm.datasets.fingerprint import fingerprint


@pytest.fixture
def of(tmp_path):
    """Fingerprint of a folder of images."""

    def _of(*folders, **options):
        roots = [str(folder) for folder in folders]
        return fingerprint(UnlabelledImages(roots, cache=str(tmp_path / 'index'), **options))

    return _of


def test_a_copy_elsewhere_has_the_same(of, image_folder, tmp_path):
    copy = shutil.copytree(image_folder, tmp_path / 'elsewhere')
    assert of(image_folder) == of(copy)


@pytest.mark.parametrize('change', ['added', 'removed', 'renamed', 'replaced'])
def test_a_changed_file_gives_another(of, image_folder, tmp_path, change):
    copy = shutil.copytree(image_folder, tmp_path / 'elsewhere')
    if change == 'added':
        shutil.copy(copy / '00.png', copy / 'new.png')
    elif change == 'removed':
        (copy / '07.png').unlink()
    elif change == 'renamed':
        (copy / '07.png').rename(copy / '07b.png')
    else:
        Image.new('RGB', (64, 64)).save(copy / '07.png')
    assert of(image_folder) != of(copy)


def test_the_order_of_folders_counts(of, image_folder, tmp_path):
    second = tmp_path / 'second'
    second.mkdir()
    shutil.copy(image_folder / '00.png', second / 'other.png')
    assert of(image_folder, second) != of(second, image_folder)


def test_a_file_that_is_missing_is_no_error(of, tmp_path, image_folder):
    (image_folder / 'gone.png').symlink_to(tmp_path / 'nowhere.png')
    assert of(image_folder)


class _Listed(BaseDataset):
    def __init__(self, label: int, **options) -> None:
        self.label = label
        super().__init__(**options)

    def load_data_list(self) -> list[dict]:
        return [dict(img_path='a.png', gt_label=self.label)]


def test_labels_of_other_data_sets_count_and_wrappers_are_opened():
    assert fingerprint(_Listed(1)) == fingerprint(_Listed(1)) != fingerprint(_Listed(2))
    assert fingerprint(_Listed(1, serialize_data=False)) != fingerprint(_Listed(2, serialize_data=False))
    both = [fingerprint(ConcatDataset([_Listed(1), _Listed(label)])) for label in (1, 1, 2)]
    assert both[0] == both[1] != both[2]
    assert fingerprint(TensorDataset()) is None
    assert fingerprint(ConcatDataset([_Listed(1), _Listed(1)], lazy_init=True)) == both[0]
