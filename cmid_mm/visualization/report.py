"""One page that says what was run, how well it went, and what the pictures show."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from cmid_mm.evaluation import Score

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #57606a; --line: #d0d7de; --page: #fff; --best: #dafbe1; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9da7b3; --line: #30363d; --page: #0d1117; --best: #12361f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 56rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--page); overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.lead { font-size: 1.1rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { padding: .4rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
.scores th, .scores td { overflow-wrap: normal; padding: .4rem .3rem; }
.scores td + td, .scores th + th { text-align: right; font-variant-numeric: tabular-nums; }
.scores td + td, .scores th:nth-child(2) { white-space: nowrap; }
.best { background: var(--best); font-weight: 600; }
.facts th { font-weight: 400; color: var(--soft); width: 6.5rem; }
figure { margin: 0; } img { width: 100%; height: auto; border: 1px solid var(--line); background: #fff; }
nav a { margin-right: .8rem; white-space: nowrap; } a { color: inherit; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: .6rem; }
.grid img { display: block; } h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
iframe { width: 100%; height: 34rem; max-height: 85vh; border: 1px solid var(--line); background: #fff; }
summary { cursor: pointer; margin: .6rem 0; } .soft { color: var(--soft); }
pre { overflow-x: auto; border: 1px solid var(--line); padding: .6rem; font: .8rem/1.4 ui-monospace, monospace; }
.picture img { width: auto; max-width: 100%; }
.left td + td, .left th + th { text-align: left; white-space: normal; overflow-wrap: anywhere; }
@media (max-width: 30rem) { .scores { font-size: .85rem; } }
.left td:first-child, .names td:first-child { min-width: 6.5rem; overflow-wrap: anywhere; }
"""


@dataclass(frozen=True)
class Table:
    """Cells of text under a header; ``best`` holds the (row, column) places to mark."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: Collection[tuple[int, int]] = ()


@dataclass(frozen=True)
class Picture:
    """A picture beside the page: file name, heading, and a plain sentence or two on what it shows."""

    file: str
    title: str
    text: str


def write_report(
    folder: str | Path,
    title: str,
    lead: str,
    facts: Mapping[str, str],
    table: Table | None,
    table_text: str,
    pictures: Sequence[Picture],
) -> Path:
    """Write ``index.html``, which needs nothing but the pictures beside it.

    Args:
        folder (str | Path): Where the pictures lie and the page goes.
        title (str): Heading of the page.
        lead (str): The result in a sentence or two.
        facts (Mapping[str, str]): What was run, name to value.
        table (Table, optional): The scores; None if there are none.
        table_text (str): What the scores mean, or why there are none.
        pictures (Sequence[Picture]): In the order of the page.

    Returns:
        Path: The page.

    Raises:
        FileNotFoundError: A picture does not lie in ``folder``.
    """
    folder = Path(folder)
    for picture in pictures:
        if not (folder / picture.file).is_file():
            raise FileNotFoundError(f'{folder / picture.file} does not exist; draw the picture before the report.')
    shown = ''.join(
        f'<h2>{escape(picture.title)}</h2><p>{escape(picture.text)}</p><figure><a href="{quote(picture.file)}">'
        f'<img src="{quote(picture.file)}" alt="{escape(picture.title)}" loading="lazy"></a></figure>'
        for picture in pictures
    )
    body = (
        f'<p class="lead">{escape(lead)}</p><h2>Scores</h2>{table_html(table)}<p>{escape(table_text)}</p>'
        f'{shown}<h2>What was run</h2>{facts_html(facts)}'
    )
    path = folder / 'index.html'
    path.write_text(page(title, body), encoding='utf-8', errors='replace')  # file names may be no text
    return path


def score_table(scores: Sequence[Score]) -> Table | None:
    """Lay out scores of features, the best accuracies marked; None without scores."""
    if not scores:
        return None
    best_knn = max(score.knn for score in scores)
    best_probe = max(score.linear_probe for score in scores)
    best, rows = set(), []
    for row, score in enumerate(scores):
        best |= {(row, 1)} if score.knn == best_knn else set()
        best |= {(row, 2)} if score.linear_probe == best_probe else set()
        accuracies = f'{100 * score.knn:.1f} %', f'{100 * score.linear_probe:.1f} %'
        rows.append((score.name, *accuracies, f'{score.spread:.2f}', f'{score.effective_rank:.0f}'))
    return Table(('features', '10-NN', 'linear probe', 'spread', 'rank'), rows, best)


def page(title: str, body: str, policy: str = '') -> str:
    """A whole page in the style of all reports.

    Args:
        title (str): Heading, as plain text.
        body (str): HTML below it.
        policy (str): Content security policy: what the browser may load and run. Defaults to '': no restriction.
    """
    guard = f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">' if policy else ''
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">{guard}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><style>{STYLE}</style></head><body>'
        f'<h1>{escape(title)}</h1>{body}</body></html>\n'
    )


def facts_html(facts: Mapping[str, str]) -> str:
    """Facts as a table of two columns."""
    rows = ''.join(f'<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in facts.items())
    return f'<table class="facts">{rows}</table>'


def table_html(table: Table | None, style: str = '') -> str:
    """A table; nothing for None.

    Args:
        table (Table, optional): Its cells are plain text.
        style (str): 'left' for columns of text, 'names' for long names before numbers. Defaults to '': short names
            before numbers, which stand to the right.
    """
    if table is None:
        return ''
    header = ''.join(f'<th>{escape(name)}</th>' for name in table.header)
    rows = ''
    for row, cells in enumerate(table.rows):
        marks = [' class="best"' if (row, column) in table.best else '' for column in range(len(cells))]
        rows += f'<tr>{"".join(f"<td{m}>{escape(cell)}</td>" for m, cell in zip(marks, cells, strict=True))}</tr>'
    return (
        f'<div class="wide"><table class="{f"scores {style}".strip()}"><thead><tr>{header}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div>'
    )
