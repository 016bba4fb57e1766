"""The page on models says what the metafiles and configs say."""

import re
import sys
from pathlib import Path

import pytest

CONFIGS = sorted(
    path.relative_to(Path(__file__).parents[2]) for path in Path(__file__).parents[2].glob('configs/[!_]*/*.py')
)


@pytest.fixture(scope='module')
def zoo(repo):
    sys.path.insert(0, str(repo / 'tools'))
    import model_zoo

    sys.path.pop(0)
    return model_zoo


def test_the_page_is_up_to_date_and_lists_every_config(repo, zoo):
    text = zoo.page()
    assert (repo / 'docs/model_zoo.md').read_text() == text, 'run python tools/model_zoo.py'
    for path in CONFIGS:
        assert f'[{path.stem}](../{path.as_posix()})' in text


def test_figures_lead_to_their_tables(repo, zoo):
    headings = re.findall(r'^#+ (.*)', (repo / 'docs/results.md').read_text(), re.MULTILINE)
    anchors = {re.sub(r'[^\w -]', '', heading.lower()).replace(' ', '-') for heading in headings}
    named = set(re.findall(r'results\.md#([\w-]+)', zoo.page()))
    assert named == {path.stem for path in repo.glob('docs/comparison/*.csv')}
    assert named <= anchors


def test_a_page_that_drifted_is_an_error(zoo, tmp_path, monkeypatch):
    page = tmp_path / 'model_zoo.md'
    monkeypatch.setattr(zoo, 'PAGE', page)
    monkeypatch.setattr(sys, 'argv', ['model_zoo.py', '--check'])
    page.write_text(zoo.page())
    zoo.main()
    page.write_text(page.read_text().replace('99.22', '99.23'))
    with pytest.raises(SystemExit, match=r'run python tools/model_zoo\.py'):
        zoo.main()


@pytest.mark.parametrize(
    ('backbone', 'name'),
    [
        (dict(type='mmpretrain.ResNet', depth=50), 'ResNet-50'),
        (dict(type='MaskedSwinTransformer', arch='base'), 'Swin-B'),
        (dict(type='MAEViT', arch='deit-tiny'), 'ViT-T'),
        (dict(type='SparseResNet', depth=18), 'ResNet-18'),
    ],
)
def test_backbones_are_called_by_their_names(zoo, backbone, name):
    assert zoo.backbone_name(backbone) == name


def test_an_unknown_backbone_is_refused(zoo):
    with pytest.raises(ValueError, match="no name for a backbone of type='MobileNetV2'"):
        zoo.backbone_name(dict(type='MobileNetV2'))
