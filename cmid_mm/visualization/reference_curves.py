"""Curves of runs that others are compared with, in files small enough to commit."""

import csv
from pathlib import Path

import numpy as np

from .loss_curves import Curve


def write_curves(curves: dict[str, Curve], out: str | Path, most: int = 200, digits: int = 4) -> None:
    """Write curves as a table, a line a step.

    Args:
        curves (dict[str, Curve]): Steps and values of each scalar.
        out (str | Path): CSV file; a cell is empty where a scalar has no value.
        most (int): Of more steps, so many at equal distances are kept, the first and the last among them.
        digits (int): Significant digits of a value.
    """
    steps = np.unique(np.concatenate([steps for steps, _ in curves.values()]))
    if len(steps) > most:
        steps = steps[np.linspace(0, len(steps) - 1, most).round().astype(int)]
    values = {
        name: dict(zip(places.tolist(), numbers.tolist(), strict=True)) for name, (places, numbers) in curves.items()
    }
    with Path(out).open('w', encoding='utf-8', newline='') as file:
        rows = csv.writer(file, lineterminator='\n')
        rows.writerow(['step', *curves])
        for step in steps.tolist():
            cells = [values[name].get(step) for name in curves]
            rows.writerow([step, *('' if cell is None else f'{cell:.{digits}g}' for cell in cells)])


def read_curves(path: str | Path) -> dict[str, Curve]:
    """Read what :func:`write_curves` has written.

    Raises:
        ValueError: The file is no such table; the message names the line.
    """
    with Path(path).open(encoding='utf-8', newline='') as file:
        header, *lines = list(csv.reader(file)) or [[]]
    if header[:1] != ['step'] or len(header) < 2:
        raise ValueError(f"{path}, line 1: no table of curves; its first column is 'step', its others scalars.")
    pairs: dict[str, list[tuple[int, float]]] = {name: [] for name in header[1:]}
    for number, line in enumerate(lines, 2):
        try:
            step, *cells = line
            for name, cell in zip(header[1:], cells, strict=True):
                if cell:
                    pairs[name].append((int(step), float(cell)))
        except ValueError as error:
            raise ValueError(f'{path}, line {number}: not a step and {len(header) - 1} numbers.') from error
    return {name: (np.array([p[0] for p in found]), np.array([p[1] for p in found])) for name, found in pairs.items()}
