"""The tables, the CSV files and the figure of a comparison, from the pieces of its cells."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cells import PRETRAINED, Cell, Scenes, read_piece

from cmid_mm.evaluation.interval import Interval, mean_interval
from cmid_mm.visualization.comparison import draw_comparison

# Accuracies from 0 to 1, in percent in tables; k-shot ones are named when it is known which there are.
ACCURACIES = {'knn': '10-NN', 'linear_probe': 'linear probe'}
FINE_TUNED = {'fine_tuned': 'fine-tuned'}
COSTS = ('images', 'steps', 'epochs', 'seconds', 'peak_memory_mb')


@dataclass(frozen=True)
class Row:
    """One figure of one cell; ``scored_on`` is empty for what pretraining took."""

    pretrained_on: str
    scored_on: str
    method: str
    backbone: str
    seed: int
    metric: str
    value: float


def read_rows(cells: Iterable[Cell], backbones: Mapping[str, str]) -> tuple[list[Row], list[str]]:
    """All figures that finished pieces hold, and sentences on what could not be had."""
    rows, problems, machines = [], [], set()
    for cell in cells:
        own = (cell.data.name if cell.data else '', cell.method, backbones.get(cell.method, ''), cell.seed)

        def add(scored_on: str, figures: dict, own: tuple = own, cell: Cell = cell) -> None:
            data, *rest = own
            if error := figures.get('error'):
                where = (data and f' on {data}') + (scored_on and f', scored on {scored_on}')
                problems.append(f'{rest[0]}, seed {rest[2]}{where}: {error}')
            smallest = figures.pop('smallest_class', math.inf)
            for k in sorted(cell.evaluation.shots):
                if k > smallest:
                    problems.append(f'no {k}-shot score on {scored_on}: a class has only {smallest} to learn from')
            for metric, value in figures.items():
                if isinstance(value, int | float):
                    rows.append(Row(data, scored_on, *rest, metric, value))

        if cell.made.is_file():
            made = read_piece(cell.made)
            machines.add(made['Hardware'])
            add('', {name: value for name, value in made.items() if name in (*COSTS, 'error')})
        for scenes in cell.scored:
            for piece in (cell.frozen(scenes), cell.fine_tuned(scenes)):
                if piece is not None and piece.is_file():
                    add(scenes.name, read_piece(piece))
    if len(machines) > 1:
        problems.append(f'times and memory are of several machines and not comparable: {"; ".join(sorted(machines))}')
    return rows, list(dict.fromkeys(problems))


def summarise(rows: Iterable[Row]) -> dict[tuple[str, str, str, str], list[float]]:
    """(pretrained on, scored on, method, metric) -> the values of its seeds."""
    found: dict[tuple[str, str, str, str], list[float]] = {}
    for row in rows:
        found.setdefault((row.pretrained_on, row.scored_on, row.method, row.metric), []).append(row.value)
    return found


def write(
    folder: Path,
    cells: Sequence[Cell],
    backbones: Mapping[str, str],
    failed: Mapping[Cell, str],
    notes: Sequence[str],
    facts: Mapping[str, str],
    pictures: bool,
) -> str:
    """Write ``scores.csv`` (a line a figure), ``comparison.csv``, ``comparison.md`` and ``comparison.png``.

    Returns:
        str: The Markdown.
    """
    rows, problems = read_rows(cells, backbones)
    values = summarise(rows)
    with (folder / 'scores.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(Row.__dataclass_fields__)
        writer.writerows(vars(row).values() for row in rows)
    with (folder / 'comparison.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(('pretrained_on', 'scored_on', 'method', 'backbone', 'metric', 'seeds', 'mean', 'half_width'))
        for (data, scored, method, metric), seeds in values.items():
            mean, half = mean_interval(seeds)
            writer.writerow((data, scored, method, backbones.get(method, ''), metric, len(seeds), mean, half))
    text = markdown(cells, backbones, values, [*notes, *problems, *_failures(failed)], facts)
    (folder / 'comparison.md').write_text(text)
    if pictures:
        _draw(folder / 'comparison.png', cells, values)
    return text


def _failures(failed: Mapping[Cell, str]) -> list[str]:
    return [
        f'{cell.method}, seed {cell.seed}{f" on {cell.data.name}" if cell.data else ""} failed and is missing: {reason}'
        for cell, reason in failed.items()
    ]


def markdown(
    cells: Sequence[Cell],
    backbones: Mapping[str, str],
    values: Mapping[tuple, list[float]],
    notes: Sequence[str],
    facts: Mapping[str, str],
) -> str:
    """A table for each pair of images pretrained on and images scored on, one of costs, and what to know of them."""
    lines = [f'- {name}: {value}' for name, value in facts.items()]
    lines += ['', 'Accuracy in percent: mean ± half of the 95 % interval over the seeds (Student t).']
    for data, scenes in _panels(cells):
        methods = _methods(cells, data)
        seen = 'its images held back' if data == scenes.name else 'never seen in pretraining'
        metrics = _metrics(cells[0], values, scenes.name)
        lines += ['', f'### Pretrained on {data or "nothing"}, scored on {scenes.name} ({seen})', '']
        lines += _header(['method', 'backbone', 'seeds', *metrics.values()])
        best = {m: max((_mean(values, data, scenes.name, name, m) for name in methods), default=0) for m in metrics}
        for name in methods:
            seeds = len(_values(values, data, scenes.name, name, 'knn'))
            cells_of = len({cell.seed for cell in cells if cell.method == name})
            cut = f'{seeds}' if seeds == cells_of else f'{seeds} of {cells_of}'
            shown = [_accuracy(_values(values, data, scenes.name, name, m), best[m]) for m in metrics]
            lines.append(f'| {" | ".join([name, backbones.get(name, "-"), cut, *shown])} |')
    lines += _costs(cells, backbones, values)
    if notes:
        lines += ['', *(f'- {note}' for note in notes)]
    return '\n'.join(lines) + '\n'


def _costs(cells: Sequence[Cell], backbones: Mapping[str, str], values: Mapping[tuple, list[float]]) -> list[str]:
    """What pretraining took."""
    lines = ['', '### What pretraining took', '']
    lines += _header(['method', 'backbone', 'on', 'epochs', 'steps', 'images seen', 'minutes', 'peak memory, MB'])
    for data in dict.fromkeys(cell.data.name for cell in cells if cell.data):
        for name in dict.fromkeys(cell.method for cell in cells if cell.kind == PRETRAINED):
            taken = {metric: values.get((data, '', name, metric), []) for metric in COSTS}
            taken['seconds'] = [seconds / 60 for seconds in taken['seconds']]
            digits = dict(epochs=0, steps=0, images=0, seconds=1, peak_memory_mb=0)
            shown = [_number(taken[metric], digits[metric]) for metric in digits]
            lines.append(f'| {" | ".join([name, backbones.get(name, "-"), data, *shown])} |')
    return lines


def _panels(cells: Sequence[Cell]) -> list[tuple[str, Scenes]]:
    names = list(dict.fromkeys(cell.data.name for cell in cells if cell.data)) or ['']
    return [(data, scenes) for data in names for scenes in cells[0].scored]


def _methods(cells: Sequence[Cell], data: str) -> list[str]:
    return list(dict.fromkeys(cell.method for cell in cells if cell.data is None or cell.data.name == data))


def _metrics(cell: Cell, values: Mapping[tuple, list[float]], scored: str) -> dict[str, str]:
    """Accuracies that some method has on these images, with their names."""
    shots = {f'{k}-shot': f'{k}-shot' for k in sorted(cell.evaluation.shots)}
    found = {metric for _, scenes, _, metric in values if scenes == scored}
    return {key: name for key, name in (ACCURACIES | shots | FINE_TUNED).items() if key in found}


def _values(values: Mapping[tuple, list[float]], data: str, scored: str, method: str, metric: str) -> list[float]:
    """Of one method; what is pretrained on nothing stands beside whatever the others are pretrained on."""
    return values.get((data, scored, method, metric)) or values.get(('', scored, method, metric), [])


def _mean(*key: object) -> float:
    found = _values(*key)
    return mean_interval(found).mean if found else -math.inf


def _accuracy(found: list[float], best: float) -> str:
    if not found:
        return '-'
    mean, half = mean_interval(found)
    text = f'{100 * mean:.1f}' + ('' if math.isnan(half) else f' ± {100 * half:.1f}')
    return f'**{text}**' if mean == best else text


def _number(found: list[float], digits: int) -> str:
    if not found:
        return '-'
    mean, half = mean_interval(found)
    same = math.isnan(half) or half == 0
    return f'{mean:,.{digits}f}' + ('' if same else f' ± {half:,.{digits}f}')


def _header(names: Sequence[str]) -> list[str]:
    return [f'| {" | ".join(names)} |', '|---' * len(names) + '|']


def _draw(out: Path, cells: Sequence[Cell], values: Mapping[tuple, list[float]]) -> None:
    panels: dict[tuple[str, str], dict[str, dict[str, Interval]]] = {}
    shots = sorted(cells[0].evaluation.shots)
    metrics = ACCURACIES | {f'{k}-shot': f'{k}-shot' for k in shots[:1]} | FINE_TUNED
    used = {metrics[metric] for _, _, _, metric in values if metric in metrics}
    names = [name for name in metrics.values() if name in used]
    for data, scenes in _panels(cells):
        panel = panels.setdefault((data or 'nothing', scenes.name), {})
        for method in _methods(cells, data):
            for metric, name in metrics.items():
                if found := _values(values, data, scenes.name, method, metric):
                    mean, half = mean_interval(found)
                    panel.setdefault(method, {})[name] = Interval(100 * mean, 100 * half)
    methods = list(dict.fromkeys(cell.method for cell in cells))
    draw_comparison(panels, methods, names, out)
