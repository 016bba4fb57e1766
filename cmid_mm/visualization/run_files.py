"""What lies in a work folder: pictures, tables of results, checkpoints."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cmid_mm.engine.run_record import FIRST_LOSSES, RECORD

PICTURES = 'pictures'
CHECKPOINTS = ('.pth', '.safetensors')
_DEPTH = 4  # folders below the work folder that are looked into
_LARGEST_TABLE = 1_000_000  # bytes
_MOST_ROWS = 200
_SCALARS = 'scalars.json'
_NO_RESULTS = {RECORD, FIRST_LOSSES, _SCALARS}
_PNG = b'\x89PNG\r\n\x1a\n'


@dataclass(frozen=True)
class Shown:
    """A picture (PNG) or an interactive page (HTML); ``data`` is None if it is left out, for the ``reason``."""

    name: str
    is_page: bool
    data: bytes | None
    reason: str = ''


@dataclass(frozen=True)
class Results:
    """A file of results as a table; without rows ``reason`` says why."""

    name: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    reason: str = ''


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights, and its size in bytes."""

    name: str
    size: int


def read_pictures(work_dir: Path, most: int) -> list[Shown]:
    """Read ``pictures/**/*.png`` and ``*.html`` in the order of their names, ``most`` bytes in all."""
    shown, left = [], most
    folder = work_dir / PICTURES
    for path in sorted(folder.rglob('*')):
        suffix = path.suffix.lower()
        if suffix not in ('.png', '.html') or not path.is_file():
            continue
        name, size = str(path.relative_to(folder)), path.stat().st_size
        if size > left:
            shown.append(Shown(name, suffix == '.html', None, f'{megabytes(size)}, too much for one page'))
            continue
        data = path.read_bytes()
        if suffix == '.png' and not data.startswith(_PNG):
            shown.append(Shown(name, False, None, 'it is no PNG'))
            continue
        left -= size
        shown.append(Shown(name, suffix == '.html', data))
    return shown


def read_results(folder: Path, own: bool = False) -> list[Results]:
    """Read the JSON and CSV files of results below a folder, and the last validation of each run in it.

    What ``tools/test.py`` writes (``TIME/TIME.json``) is among them. A JSON file becomes a table if it is an object of
    values, of such objects, or a list of them.

    Args:
        folder (Path): The folder.
        own (bool): Whether to leave out validations of the run that has this work folder, and to show those of runs in
            folders below it alone. Defaults to False.
    """
    found = []
    for path in _files(folder, ('.json', '.csv')):
        name = str(path.relative_to(folder))
        if path.name == _SCALARS:
            run = path.relative_to(folder).parent.parent  # of TIME/vis_data/scalars.json
            if (len(run.parts) > 1 or not own) and (validation := _last_validation(path)):
                found.append(_table(str(run), [validation], 'last validation'))
        elif path.name in _NO_RESULTS:
            continue
        elif path.stat().st_size > _LARGEST_TABLE:
            found.append(Results(name, reason=f'{megabytes(path.stat().st_size)}, too much for a table'))
        else:
            found.append(_read_csv(path, name) if path.suffix == '.csv' else _read_json(path, name))
    return found


def read_checkpoints(folder: Path) -> list[Checkpoint]:
    """List the files of weights below a folder."""
    return [Checkpoint(str(path.relative_to(folder)), path.stat().st_size) for path in _files(folder, CHECKPOINTS)]


def megabytes(size: int) -> str:
    """A number of bytes as text."""
    if size < 1e3:
        return f'{size} bytes'
    return f'{size / 1e6:.1f} MB' if size >= 1e5 else f'{size / 1e3:.1f} kB'


def _files(folder: Path, suffixes: Iterable[str]) -> Iterator[Path]:
    """Files with one of the suffixes, but not those of pictures, hidden folders and reruns."""
    for path in sorted(folder.rglob('*')):
        parts = path.relative_to(folder).parts
        if len(parts) > _DEPTH + 1 or path.suffix not in suffixes or not path.is_file():
            continue
        if parts[0] != PICTURES and not any(part.startswith(('.', 'rerun-')) for part in parts):
            yield path


def _last_validation(path: Path) -> dict | None:
    """The last line of a scalars.json that is no iteration of training: the metrics of a validation."""
    last = None
    for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue  # of a run that was killed; the curves name it
        if isinstance(values, dict) and 'iter' not in values and not any('loss' in name for name in values):
            last = {name: value for name, value in values.items() if name not in ('data_time', 'time', 'step')}
    return last


def _read_csv(path: Path, name: str) -> Results:
    with path.open(encoding='utf-8', errors='replace', newline='') as file:
        try:
            lines = [tuple(line) for line in csv.reader(file)]
        except csv.Error as error:
            return Results(name, reason=f'no table ({error})')
    if not lines:
        return Results(name, reason='it is empty')
    width = max(map(len, lines))
    header, *rows = (line + ('',) * (width - len(line)) for line in lines)
    return _cut(name, header, rows)


def _read_json(path: Path, name: str) -> Results:
    try:
        found = json.loads(path.read_text(encoding='utf-8', errors='replace'))
    except (ValueError, RecursionError) as error:
        return Results(name, reason=f'no JSON ({error})')
    if isinstance(found, dict) and found and all(_is_row(value) for value in found.values()):
        return _table(name, list(found.values()), *found)
    if isinstance(found, list) and found and all(_is_row(value) for value in found):
        return _table(name, found)
    if _is_row(found):
        return _table(name, [found])
    return Results(name, reason='its form is no table')


def _is_row(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and not any(isinstance(cell, dict) for cell in value.values())


def _table(name: str, rows: list[Mapping], *titles: str) -> Results:
    """Rows by the names of their values; a single one stands upright."""
    if len(rows) == 1:
        return _cut(name, (*(titles or ('name',)), 'value'), [(key, _text(value)) for key, value in rows[0].items()])
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [tuple(_text(row.get(column, '')) for column in columns) for row in rows]
    if titles:
        columns, cells = ['', *columns], [(title, *row) for title, row in zip(titles, cells, strict=True)]
    return _cut(name, tuple(columns), cells)


def _cut(name: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> Results:
    reason = f'{len(rows) - _MOST_ROWS} more rows are left out' if len(rows) > _MOST_ROWS else ''
    reason = reason if rows else 'it has no rows'
    return Results(name, header, tuple(rows[:_MOST_ROWS]), reason)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f'{value:.5g}'
    return ', '.join(map(_text, value)) if isinstance(value, list) else str(value)
