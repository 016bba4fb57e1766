"""A page of one file: points of a plane, and the image of the one under the pointer."""

import base64
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from matplotlib.colors import to_hex

from .embedding import group_colours

THUMBNAIL_SIDES = (112, 80, 56, 40, 28)
MOST_BYTES = 8_000_000

# The policy lets the page load nothing: images are in it, as data addresses.
TEMPLATE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>
:root {{ color-scheme: light dark; --ink: #1f2328; --soft: #57606a; --line: #d0d7de; --page: #fff; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e6edf3; --soft: #9da7b3; --line: #30363d; --page: #0d1117; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 72rem; padding: 1rem; font: 15px/1.4 system-ui, sans-serif;
  color: var(--ink); background: var(--page); overflow-wrap: anywhere; }}
h1 {{ font-size: 1.3rem; margin: 0 0 .3rem; }} p {{ margin: 0 0 .6rem; color: var(--soft); }}
main {{ display: flex; flex-wrap: wrap; gap: 1rem; }}
canvas {{ flex: 1 1 30rem; min-width: 0; width: 100%; max-width: 46rem; aspect-ratio: 1;
  border: 1px solid var(--line); cursor: crosshair; touch-action: none; }}
aside {{ flex: 1 1 14rem; max-width: 22rem; }}
#legend {{ display: flex; flex-wrap: wrap; gap: .2rem; margin-bottom: 1rem; }}
button {{ font: inherit; font-size: .85rem; padding: .1rem .45rem; border: 1px solid var(--line); border-radius: .3rem;
  background: none; color: inherit; cursor: pointer; }}
button[aria-pressed=true] {{ outline: 2px solid var(--ink); }}
button span {{ display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .35em; }}
figure {{ display: inline-block; margin: 0 .5rem .5rem 0; vertical-align: top; width: 9rem; font-size: .8rem; }}
img {{ display: block; width: 9rem; height: 9rem; image-rendering: pixelated; background: var(--line); }}
</style></head><body><h1>{title}</h1>
<p>{lead}</p>
<main><canvas id="map" role="img" aria-label="{title}"></canvas>
<aside><div id="legend"></div><figure id="under" hidden></figure><div id="kept"></div></aside></main>
<script id="data" type="application/json">{data}</script><script>
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const canvas = document.getElementById('map'), pen = canvas.getContext('2d');
const classes = new Map(data.classes.map(group => [group.label, group]));
let only = null, near = null;

function place(point) {{  // [0, 1] to pixels of the canvas; the second axis points up, as in the picture
  const edge = 0.03 * canvas.width, length = canvas.width - 2 * edge;
  return [edge + point[0] * length, canvas.height - edge - point[1] * length];
}}

function draw() {{
  const scale = window.devicePixelRatio || 1;
  canvas.width = canvas.height = Math.round(canvas.clientWidth * scale) || 600;
  const radius = Math.max(2, canvas.width / 200);
  data.points.forEach((point, index) => {{
    const hidden = only !== null && data.labels[index] !== only, [x, y] = place(point);
    pen.globalAlpha = hidden ? 0.08 : 0.85;
    pen.fillStyle = classes.get(data.labels[index]).colour;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fill();
    if (index === near) {{
      pen.lineWidth = radius / 2;
      pen.strokeStyle = getComputedStyle(document.body).color;
      pen.stroke();
    }}
  }});
}}

function describe(figure, index) {{  // names of files and classes are text, never markup
  const image = document.createElement('img'), caption = document.createElement('figcaption');
  image.alt = '';
  if (data.images[index]) image.src = data.images[index];
  caption.textContent = classes.get(data.labels[index]).name + ': ' + data.names[index];
  figure.replaceChildren(image, caption);
}}

function nearest(event) {{
  const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
  const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
  let best = null, least = (canvas.width / 25) ** 2;
  data.points.forEach((point, index) => {{
    if (only !== null && data.labels[index] !== only) return;
    const [px, py] = place(point), distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) [best, least] = [index, distance];
  }});
  return best;
}}

canvas.addEventListener('pointermove', event => {{
  const found = nearest(event), under = document.getElementById('under');
  if (found === near) return;
  near = found;
  under.hidden = near === null;
  if (near !== null) describe(under, near);
  draw();
}});
canvas.addEventListener('click', event => {{
  const found = nearest(event);
  if (found === null) return;
  const figure = document.createElement('figure');
  describe(figure, found);
  figure.addEventListener('click', () => figure.remove());
  document.getElementById('kept').prepend(figure);
}});
for (const group of data.classes) {{
  const button = document.createElement('button'), spot = document.createElement('span');
  spot.style.background = group.colour;
  button.append(spot, group.name);
  button.addEventListener('click', () => {{
    only = only === group.label ? null : group.label;
    for (const other of document.querySelectorAll('#legend button')) {{
      other.setAttribute('aria-pressed', String(other === button && only !== null));
    }}
    draw();
  }});
  document.getElementById('legend').append(button);
}}
window.addEventListener('resize', draw);
draw();
</script></body></html>
"""


def thumbnails(pixels: np.ndarray, most_bytes: int = MOST_BYTES) -> list[str | None]:
    """Make small JPEGs as data addresses, all of one size, the largest with which all keep within a limit.

    Args:
        pixels (np.ndarray): ``(n, H, W, 3)`` uint8 RGB.
        most_bytes (int): Of all addresses together.

    Returns:
        list[str | None]: An address for each image. Where even the smallest size takes too much, evenly spread images
        have None.
    """
    for side in THUMBNAIL_SIDES:
        addresses = [_address(image, side) for image in pixels]
        total = sum(map(len, addresses))
        if total <= most_bytes:
            return addresses
    kept, used = [], 0
    for place, address in enumerate(addresses):
        # As many as their share of the limit allows up to here.
        fits = used + len(address) <= most_bytes * (place + 1) / len(addresses)
        used += len(address) if fits else 0
        kept.append(address if fits else None)
    return kept


def _address(image: np.ndarray, side: int) -> str:
    if side < min(image.shape[:2]):
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=75, colorspace='RGB')
    return 'data:image/jpeg;base64,' + base64.b64encode(data).decode('ascii')


def write_embedding_page(
    points: np.ndarray,
    pixels: np.ndarray,
    names: Sequence[str],
    labels: np.ndarray | None,
    classes: Sequence[str],
    out: str | Path,
    title: str,
    most_bytes: int = MOST_BYTES,
) -> None:
    """Write a page of one file: the points, and, under the pointer, the image, its class and its name.

    A click on a class shows that class alone, on a point keeps its image on the page. Nothing is loaded from anywhere.

    Args:
        points (np.ndarray): ``(n, 2)``.
        pixels (np.ndarray): ``(n, H, W, 3)`` uint8 RGB.
        names (Sequence[str]): A name for each image, shown as text.
        labels (np.ndarray, optional): ``(n,)`` integers, -1 = no class.
        classes (Sequence[str]): Names of the classes, shown as text.
        out (str | Path): Page to write.
        title (str): Its heading.
        most_bytes (int): Of all thumbnails together.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    places = (points - low) / max(float((high - low).max()), 1e-12)
    groups = group_colours(labels, classes)
    data = dict(
        points=places.round(4).tolist(),
        names=list(names),
        labels=[-1] * len(points) if labels is None else labels.tolist(),
        classes=[
            dict(label=label, name=classes[label] if label >= 0 else 'no class', colour=to_hex(np.array(colour) / 255))
            for label, colour in groups
        ],
        images=thumbnails(pixels, most_bytes),
    )
    # A name must not end the script element that holds it; "<" within JSON strings may always be escaped.
    text = json.dumps(data, ensure_ascii=True, separators=(',', ':')).replace('<', '\\u003c')
    addresses = data['images']
    without = addresses.count(None)
    lead = f'{len(addresses):,} images. Under the pointer: its image, class and name. A click keeps the image here.'
    if without:
        lead += f' {without:,} images have no thumbnail, for the page would exceed {most_bytes / 1e6:g} MB.'
    page = TEMPLATE.format(title=escape(title), lead=escape(lead), data=text)
    Path(out).write_text(page, encoding='utf-8', errors='replace')  # file names may be no text
