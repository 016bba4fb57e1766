"""What a wheel holds, and that the model index names what there is."""

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from packaging.requirements import Requirement

REPO = Path(__file__).resolve().parents[1]
METAFILES = sorted((REPO / 'configs').glob('*/metafile.yml'))


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, '-m', 'pip', '--disable-pip-version-check', *arguments], check=True)


def _requirements(name: str) -> list[str]:
    lines = (REPO / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in (line.split('#')[0].strip() for line in lines) if line]


@pytest.fixture(scope='module')
def source(tmp_path_factory) -> Path:
    """A copy of what the wheel is built from, in a folder whose path has spaces."""
    copy = tmp_path_factory.mktemp('a copy') / 'cmid mm'
    copy.mkdir()
    ignore = shutil.ignore_patterns('__pycache__')
    for name in ('cmid_mm', 'configs', 'tools', 'requirements'):
        shutil.copytree(REPO / name, copy / name, ignore=ignore)
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'model-index.yml'):
        shutil.copy2(REPO / name, copy)
    return copy


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('wheels')
    options = ('--no-deps', '--no-build-isolation', '--no-index')
    _pip('wheel', *options, '--wheel-dir', str(folder), str(source))
    (path,) = folder.glob('*.whl')
    return path


@pytest.fixture(scope='module')
def site(wheel, tmp_path_factory) -> Path:
    """The site-packages of a prefix in which pip has installed the wheel."""
    prefix = tmp_path_factory.mktemp('prefix')
    _pip('install', '--no-deps', '--no-index', '--ignore-installed', f'--prefix={prefix}', str(wheel))
    (folder,) = prefix.glob('lib*/python*/site-packages')
    return folder


@pytest.mark.slow
def test_wheel_holds_every_config_tool_and_the_index(source, wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = [
        path.relative_to(source)
        for folder in ('configs', 'tools')
        for path in (source / folder).rglob('*')
        if path.is_file()
    ]
    assert {f'cmid_mm/.mim/{path.as_posix()}' for path in shipped} <= names
    assert 'cmid_mm/.mim/model-index.yml' in names
    modules = {path.relative_to(source).as_posix() for path in (source / 'cmid_mm').rglob('*.py')}
    assert modules <= names, 'a folder of cmid_mm/ without __init__.py is left out'
    info = '-'.join(wheel.name.split('-')[:2]) + '.dist-info'
    assert {name.split('/')[0] for name in names} == {'cmid_mm', info}


@pytest.mark.slow
def test_build_leaves_the_source_tree_alone(source, wheel):
    assert not (source / 'cmid_mm' / '.mim').exists()


@pytest.mark.slow
def test_a_deleted_file_does_not_live_on_in_the_next_wheel(source, wheel, tmp_path):
    stale = source / 'configs' / 'cmid' / 'stale.py'
    stale.write_text('')
    options = ('--no-deps', '--no-build-isolation', '--no-index')
    _pip('wheel', *options, '--wheel-dir', str(tmp_path / 'first'), str(source))
    stale.unlink()
    _pip('wheel', *options, '--wheel-dir', str(tmp_path / 'second'), str(source))
    assert 'cmid_mm/.mim/configs/cmid/stale.py' in _names(tmp_path / 'first')
    assert 'cmid_mm/.mim/configs/cmid/stale.py' not in _names(tmp_path / 'second')


def _names(folder: Path) -> list[str]:
    (path,) = folder.glob('*.whl')
    return zipfile.ZipFile(path).namelist()


@pytest.mark.slow
def test_mim_finds_the_installed_package(site, tmp_path):
    # mim looks into the folder of the first row of RECORD, in the order in which pip wrote the rows.
    code = 'from mim.utils import get_installed_path; print(get_installed_path("mm-cmid"))'
    found = subprocess.run(
        [sys.executable, '-c', code],
        env={'PYTHONPATH': str(site), 'HOME': str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert Path(found).resolve() == (site / 'cmid_mm').resolve()


@pytest.mark.slow
def test_installed_configs_load(site):
    config = Config.fromfile(site / 'cmid_mm/.mim/configs/cmid/cmid_r50_millionaid.py', import_custom_modules=False)
    assert config.model.type == 'CMID'


@pytest.mark.slow
def test_wheel_requires_the_pretraining_tier_only(site):
    (info,) = site.glob('mm_cmid-*.dist-info')
    required = [Requirement(line) for line in PathDistribution(info).requires]
    plain = {str(item) for item in required if item.marker is None}
    listed = {str(Requirement(line)) for line in _requirements('runtime') + _requirements('mminstall')}
    assert plain == listed
    extra = {item.name for item in required if item.marker and item.marker.evaluate({'extra': 'tasks'})}
    assert extra == {Requirement(line).name for line in _requirements('rotate')}


def test_constraints_are_within_the_requirements():
    ranges = {
        item.name: item.specifier
        for name in ('runtime', 'mminstall', 'rotate', 'tests')
        for item in map(Requirement, _requirements(name))
    }
    for pin in map(Requirement, _requirements('constraints')):
        for specifier in pin.specifier:
            if specifier.operator == '==' and pin.name in ranges:
                assert specifier.version in ranges[pin.name], pin


def test_index_imports_every_metafile():
    index = yaml.safe_load((REPO / 'model-index.yml').read_text())
    assert sorted(index['Import']) == [path.relative_to(REPO).as_posix() for path in METAFILES]


@pytest.mark.parametrize('metafile', METAFILES, ids=lambda path: path.parent.name)
def test_metafile_names_exactly_the_configs_beside_it(metafile):
    models = yaml.safe_load(metafile.read_text())['Models']
    named = [model['Config'] for model in models]
    there = [path.relative_to(REPO).as_posix() for path in sorted(metafile.parent.glob('*.py'))]
    assert sorted(named) == there
    for model in models:
        assert model['Name'] == Path(model['Config']).stem
        config = Config.fromfile(REPO / model['Config'])
        assert model['Metadata']['Epochs'] == config.train_cfg.max_epochs, model['Name']
        if model['Results']:
            assert model['Metadata']['Results Reported By'] in ('the paper', 'docs/results.md')
