"""Maps of features: groups stay together; the page works offline, and names on it stay text."""

import base64
import importlib.util
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from cmid_mm.visualization.embedding import draw_embedding, embed
from cmid_mm.visualization.embedding_page import thumbnails, write_embedding_page

EVIL = '<img src=x onerror=alert(1)>.png'
EVIL_CLASS = '</script><script>document.title="owned"</script>'


def grouped(groups: int = 3, each: int = 15) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(groups), each)
    features = 5 * generator.normal(size=(groups, 20))[labels] + generator.normal(size=(len(labels), 20))
    # Lengths differ; the angle alone counts.
    return features * generator.uniform(0.1, 10, (len(labels), 1)), labels


def test_groups_stay_together_and_a_seed_repeats_its_map():
    features, labels = grouped()
    points = embed(features, seed=3)
    assert points.shape == (45, 2)
    assert KNeighborsClassifier(5).fit(points, labels).score(points, labels) == 1
    np.testing.assert_array_equal(embed(features, seed=3), points)


def test_few_images_and_other_methods():
    assert embed(grouped(1, 5)[0]).shape == (5, 2)
    with pytest.raises(ValueError, match='4 images make no map; give 5 or more'):
        embed(np.ones((4, 3)))
    with pytest.raises(ValueError, match="method='pca' is not one of"):
        embed(np.ones((9, 3)), 'pca')


@pytest.mark.skipif(importlib.util.find_spec('umap') is not None, reason='umap-learn is installed')
def test_umap_without_its_package_is_one_sentence():
    with pytest.raises(
        ValueError, match='needs the package umap-learn, which is not installed; pip install umap-learn'
    ):
        embed(np.ones((9, 3)), 'umap')


def test_the_picture_names_every_class_that_occurs(tmp_path):
    features, labels = grouped(3, 4)
    labels[0] = -1
    points = embed(features)
    sizes = []
    for classes in (['a', 'b $x$', 'c'], ['a', 'b', 'c', 'not there']):
        draw_embedding(points, labels, classes, tmp_path / 'e.png')
        sizes.append(np.asarray(Image.open(tmp_path / 'e.png').convert('L')).std())
    assert min(sizes) > 5
    draw_embedding(points, None, [], tmp_path / 'e.png')


def test_thumbnails_keep_within_the_limit_and_show_the_images():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 96, 96, 3), dtype=np.uint8)
    whole = thumbnails(pixels)
    assert all(address.startswith('data:image/jpeg;base64,') for address in whole)
    for limit in (10**6, 60_000, 30_000, 8_000, 100):
        some = thumbnails(pixels, limit)
        assert sum(len(address) for address in some if address) <= limit
        assert len(some) == 40
    kept = [place for place, address in enumerate(thumbnails(pixels, 8_000)) if address]
    assert len(kept) > 2
    assert max(np.diff(kept)) <= 2 * 40 / len(kept) + 1  # evenly spread
    flat = np.full((1, 96, 96, 3), (200, 30, 90), np.uint8)
    shown = simplejpeg.decode_jpeg(base64.b64decode(thumbnails(flat)[0].split(',')[1]))
    assert np.abs(shown.astype(int) - (200, 30, 90)).max() < 6


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.addresses = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ('src', 'href')]


def write(out: Path, count: int = 12, **options) -> str:
    points = np.random.default_rng(0).normal(size=(count, 2))
    pixels = np.full((count, 32, 32, 3), 90, np.uint8)
    names = [EVIL, *(f'{number}.png' for number in range(1, count))]
    labels = np.arange(count) % 2
    write_embedding_page(points, pixels, names, labels, [EVIL_CLASS, 'b & c'], out, f'map of {EVIL}', **options)
    return out.read_text(encoding='utf-8')


def test_names_of_files_and_classes_stay_text_and_nothing_is_loaded(tmp_path):
    text = write(tmp_path / 'map.html')
    page = Page(text)
    assert page.tags.count('script') == 2
    assert 'img' not in page.tags
    assert page.addresses == []
    assert not re.search(r'https?:|@import|url\(', text)
    assert "default-src 'none'" in text
    data = json.loads(re.search(r'type="application/json">(.*?)</script>', text, re.DOTALL)[1])
    assert data['names'][0] == EVIL
    assert data['classes'][0]['name'] == EVIL_CLASS
    assert np.array(data['points']).min() >= 0
    assert np.array(data['points']).max() == 1
    assert 'have no thumbnail' in write(tmp_path / 'map.html', most_bytes=3000)


@pytest.mark.slow
def test_a_browser_shows_the_image_under_the_pointer_and_runs_no_name(tmp_path):
    browser = shutil.which('chromium') or shutil.which('google-chrome')
    if browser is None:
        pytest.skip('no Chromium or Chrome on PATH')
    script = """<script>{
      const box = canvas.getBoundingClientRect(), [x, y] = place(data.points[0]);
      const scale = box.width / canvas.width;
      const where = {clientX: box.left + x * scale, clientY: box.top + y * scale};
      canvas.dispatchEvent(new PointerEvent('pointermove', where));
      canvas.dispatchEvent(new MouseEvent('click', where));
      document.querySelectorAll('#legend button')[1].click();
      document.body.dataset.dim = String(only);
      document.body.dataset.kept = document.querySelectorAll('#kept figure').length;
      document.body.dataset.caption = document.querySelector('#under figcaption').textContent;
      document.body.dataset.image = document.querySelector('#under img').src.slice(0, 15);
    }</script></body>"""
    page = tmp_path / 'hovered.html'
    page.write_text(write(tmp_path / 'map.html').replace('</body>', script), encoding='utf-8')
    command = [browser, '--headless', '--no-sandbox', '--disable-gpu', f'--user-data-dir={tmp_path / "profile"}']
    done = subprocess.run([*command, '--dump-dom', page.as_uri()], capture_output=True, text=True, timeout=120)
    body = re.search(r'<body[^>]*>', done.stdout)[0]
    assert 'data-dim="1"' in body
    assert 'data-kept="1"' in body
    assert 'data-image="data:image/jpeg"' in body
    assert 'onerror=alert(1)&gt;.png' in body or 'onerror=alert(1)>.png' in body
    assert 'owned' not in re.search(r'<title>(.*?)</title>', done.stdout)[1]
    assert 'src="x"' not in done.stdout
