"""Names of files on a page are text, whatever is in them."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmid_mm.evaluation import Score
from cmid_mm.visualization.report import Picture, score_table, write_report


class Reader(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements, self.text = [], ''
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.elements.append((tag, tuple(name for name, _ in attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(folder: Path, name: str) -> Reader:
    """A report on which a name stands wherever one can."""
    (folder / 'a.png').touch()
    scores = score_table([Score(name, 0.5, 0.5, 1, 1)])
    page = write_report(folder, name, name, {name: name}, scores, name, [Picture('a.png', name, name)])
    return Reader(page.read_text(encoding='utf-8'))


HOSTILE = (
    '<script>alert(1)</script>.png',
    '"><img src=x onerror=alert(1)>.png',
    "' onmouseover='alert(1).png",
    '</style></title><svg onload=alert(1)>.png',
    '&lt;script&gt;.png',
    'javascript:alert(1).png',
    '<!-- .png',
    '\u202egpj.png',
    os.fsdecode(b'caf\xe9\xff<b>.png'),
)


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_names_are_text(tmp_path: Path, name: str) -> None:
    page, plain = read_page(tmp_path, name), read_page(tmp_path, 'plain.png')
    assert page.elements == plain.elements
    shown = re.sub('[\ud800-\udfff]', '?', name)
    assert page.text.count(shown) == plain.text.count('plain.png') > 5


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(exclude_characters='/\0'), min_size=1))
def test_no_name_changes_a_page(tmp_path: Path, name: str) -> None:
    assert read_page(tmp_path, name).elements == read_page(tmp_path, 'plain.png').elements
