"""OpenMMLab's client and mmengine find the onedl packages by their usual names."""

from importlib.metadata import distribution
from pathlib import Path

import pytest
from mim.utils import get_installed_path, module_full_name
from mmengine.utils import get_installed_path as mmengine_installed_path

MODULES = {
    'mmpretrain': 'mmpretrain',
    'mmsegmentation': 'mmseg',
    'mmseg': 'mmseg',
    'mmdetection': 'mmdet',
    'mmdet': 'mmdet',
    'mmrotate': 'mmrotate',
}


@pytest.mark.parametrize(('name', 'module'), MODULES.items())
def test_mim_finds_the_training_script(name, module):
    root = Path(get_installed_path(module_full_name(name)))
    assert root.name == module
    assert (root / '.mim' / 'tools' / 'train.py').is_file()


@pytest.mark.parametrize('name', ['mmpretrain', 'mmsegmentation', 'mmdet', 'mmrotate'])
def test_names_own_no_file_of_the_packages(name):
    # A RECORD would let pip remove or replace what it lists.
    assert distribution(name).read_text('RECORD') is None
    owner = distribution('mm-cmid-names')
    outside = [file for file in owner.files if not file.parts[0].endswith('.dist-info')]
    assert outside == []


def test_mmengine_finds_configs_by_name():
    # `_base_ = 'mmseg::...'` looks for a distribution mmsegmentation.
    assert Path(mmengine_installed_path('mmsegmentation')).name == 'mmseg'
