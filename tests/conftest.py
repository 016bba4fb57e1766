"""Where the tests find golden arrays and real images, and what makes every test repeatable."""

import os
from pathlib import Path

import pytest
from mmengine.registry import init_default_scope

import cmid_mm  # noqa: F401  registers every component

REPO = Path(__file__).resolve().parents[1]


def _folder(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, REPO.parent / 'shared' / default))
    if not path.is_dir():
        pytest.skip(f'{variable}: no folder at {path}; set the variable to the folder of {default}')
    return path


@pytest.fixture(scope='session')
def golden_root() -> Path:
    """Folder of the arrays computed by the authors' code (``CMID_MM_GOLDEN``)."""
    return _folder('CMID_MM_GOLDEN', 'golden')


@pytest.fixture(scope='session')
def data_root() -> Path:
    """Folder of the real sample images (``CMID_MM_DATA``)."""
    return _folder('CMID_MM_DATA', 'data')


@pytest.fixture(scope='session')
def repo() -> Path:
    """Root of this checkout."""
    return REPO


@pytest.fixture(autouse=True)
def _registry_scope() -> None:
    """Build everything in mmpretrain's scope, as a Runner of a pretraining config does."""
    init_default_scope('mmpretrain')
