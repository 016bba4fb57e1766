"""Curves of every loss and of the learning rate over a run, and of scalars over several."""

import json
import math
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

Curve = tuple[np.ndarray, np.ndarray]

COLOURS = ('#b35900', '#0a4fb0', '#57606a', '#2f7d32', '#7b3fa0', '#0f766e', '#b91c1c')
# What is no scalar of the run but its place in it.
_PLACES = {'step', 'iter', 'epoch'}


def find_scalars(work_dir: str | Path) -> list[Path]:
    """Find what mmengine recorded in a work folder, oldest run first (a resumed run is a new one).

    Raises:
        FileNotFoundError: There is no ``*/vis_data/scalars.json``.
    """
    found = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not found:
        raise FileNotFoundError(
            f'{work_dir} holds no */vis_data/scalars.json; give the work folder of a run that logged an iteration.'
        )
    return found


def read_scalars(files: Iterable[str | Path], everything: bool = False) -> dict[str, Curve]:
    """Read the losses and the learning rate of one run, or of one that was resumed.

    Args:
        files (Iterable[str | Path]): ``scalars.json`` files, one JSON object a line; where two have the same step, the
            later file counts.
        everything (bool): Also read all that is neither a loss nor the rate. Defaults to False.

    Returns:
        dict[str, Curve]: Steps and values of ``loss``, then of its parts by name, then of ``lr``, then of the rest.

    Raises:
        ValueError: A file is not of that form, or no line holds a loss.
    """
    records: dict[int, dict] = {}
    for file in files:
        for number, line in enumerate(Path(file).read_text(encoding='utf-8').splitlines(), 1):
            try:
                record = json.loads(line)
                # What is not logged with the losses, as accuracies, has a line of its own.
                records.setdefault(record['step'], {}).update(record)
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{file}, line {number}: not a JSON object with a 'step'.") from error
    found = {name for record in records.values() for name in record} - _PLACES
    names = {name for name in found if 'loss' in name or name == 'lr'}
    ordered = sorted(names, key=lambda name: (name == 'lr', name != 'loss', name))
    ordered += sorted(found - names) if everything else []
    curves = {}
    for name in ordered:
        pairs = [(step, record[name]) for step, record in sorted(records.items()) if name in record]
        curves[name] = (np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs], dtype=float))
    if not names - {'lr'}:
        raise ValueError(f'{", ".join(map(str, files))}: no line holds a loss.')
    return curves


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Mean of the ``window`` values around each one, of those that exist at the ends; NaN are left out."""
    known = np.isfinite(values)
    kernel = np.ones(window)
    total = np.convolve(np.where(known, values, 0), kernel, mode='full')
    count = np.convolve(known, kernel, mode='full')
    middle = slice((window - 1) // 2, (window - 1) // 2 + len(values))
    return np.divide(total[middle], count[middle], out=np.full(len(values), np.nan), where=count[middle] > 0)


def draw_loss_curves(curves: dict[str, Curve], out: str | Path, columns: int = 2) -> int:
    """Draw one panel a curve: the records pale, their running mean dark, the last value of the mean in the title.

    Args:
        curves (dict[str, Curve]): What :func:`read_scalars` returns.
        out (str | Path): Picture to write.
        columns (int): Panels side by side.

    Returns:
        int: Records in the running mean, a tenth of the longest curve.
    """
    window = max(1, max(len(steps) for steps, _ in curves.values()) // 10)
    rows = math.ceil(len(curves) / columns)
    figure = Figure(figsize=(4.2 * columns, 2.5 * rows), layout='constrained')
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for (name, (steps, values)), panel in zip(curves.items(), panels, strict=False):
        if name == 'lr':
            panel.plot(steps, values, color='#57606a')
            panel.set_title('learning rate', fontsize=10)
        else:
            smoothed = smooth(values, window)
            panel.plot(steps, values, color='#9ec5fe', linewidth=1, marker='.', markersize=3)
            panel.plot(steps, smoothed, color='#0a4fb0', linewidth=1.8)
            last = smoothed[np.isfinite(smoothed)][-1:]
            value = f'{last[0]:.4g}' if len(last) else 'never finite'
            panel.set_title(f'{name.replace("_", " ")}: {value}', fontsize=10)
        panel.set_xlabel('iteration', fontsize=8)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.25)
    for panel in list(panels):
        panel.set_axis_off()
    figure.savefig(out, dpi=130)
    return window


def draw_compared_losses(panels: dict[str, dict[str, list[Curve]]], out: str | Path) -> None:
    """Draw a panel for each task or scalar, in it a colour for each start or run, and a line for each of its curves.

    Args:
        panels (dict[str, dict[str, list[Curve]]]): Name of the panel -> name of the line -> steps and values.
        out (str | Path): Picture to write.
    """
    figure = Figure(figsize=(8.4, 2.7 * math.ceil(len(panels) / 2)), layout='constrained')
    axes = figure.subplots(math.ceil(len(panels) / 2), 2, squeeze=False).flat
    for (task, starts), panel in zip(panels.items(), axes, strict=False):
        for (start, runs), colour in zip(starts.items(), cycle(COLOURS), strict=False):
            for number, (steps, losses) in enumerate(runs):
                panel.plot(steps, losses, color=colour, linewidth=1.4, label=None if number else start)
        panel.set_title(task, fontsize=10)
        panel.set_xlabel('iteration', fontsize=8)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.25)
        panel.legend(fontsize=8)
    for panel in axes:  # those that are left
        panel.set_axis_off()
    figure.savefig(out, dpi=130)
