import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from cmid_mm.evaluation import Score
from cmid_mm.visualization.report import Picture, score_table, write_report

SCORES = [Score('untrained', 0.33, 0.4175, 0.2, 77.3), Score('CMID', 0.5275, 0.61, 0.9, 112.0)]


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.tags, self.text = [], [], ''
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ('src', 'href')]

    def handle_data(self, data):
        self.text += data + '\n'


def _write(folder, facts=None, pictures=(), scores=SCORES) -> _Page:
    facts = facts or {'Data': 'scenes'}
    path = write_report(folder, 'CMID', 'It learned.', facts, score_table(scores), 'Chance is 10 %.', pictures)
    assert path == folder / 'index.html'
    return _Page(path.read_text(encoding='utf-8'))


def test_numbers_are_on_the_page_and_the_best_is_marked(tmp_path):
    page = _write(tmp_path)
    for number in ('33.0 %', '41.8 %', '52.8 %', '61.0 %', '0.20', '112'):
        assert number in page.text
    assert re.findall(r'class="best">([\d.]+)', (tmp_path / 'index.html').read_text()) == ['52.8', '61.0']


def test_pictures_lie_beside_the_page_and_nothing_comes_from_elsewhere(tmp_path):
    (tmp_path / 'a & b #1.png').write_bytes(b'x')
    page = _write(tmp_path, pictures=[Picture('a & b #1.png', 'Losses', 'They fall.')])
    assert page.links
    assert all((tmp_path / unquote(link)).is_file() for link in page.links)
    text = (tmp_path / 'index.html').read_text()
    assert not re.search(r'https?:|//|@import|url\(', text)
    assert 'width=device-width' in text
    with pytest.raises(FileNotFoundError, match=r'gone\.png does not exist'):
        _write(tmp_path, pictures=[Picture('gone.png', 'x', 'x')])


def test_odd_names_are_shown_as_text(tmp_path):
    odd = '/data/<script>alert("x")</script> & 田'
    page = _write(tmp_path, {odd: odd}, scores=[Score(odd, 0.5, 0.5, 1, 1)])
    assert 'script' not in page.tags
    assert page.text.count(odd) == 3


def test_without_scores_there_is_no_table_but_the_reason(tmp_path):
    page = _write(tmp_path, scores=[])
    assert '10-NN' not in page.text
    assert 'Chance is 10 %.' in page.text
