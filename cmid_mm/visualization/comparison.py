"""Scores of several methods beside each other, with their intervals."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from cmid_mm.evaluation.interval import Interval

COLOURS = ('#0a4fb0', '#b35900', '#2f7d32', '#7b3fa0', '#57606a')


def draw_comparison(
    panels: Mapping[tuple[str, str], Mapping[str, Mapping[str, Interval]]],
    methods: Sequence[str],
    metrics: Sequence[str],
    out: str | Path,
) -> None:
    """Draw a panel for each pair of images pretrained on and images scored on, a line a method, a colour a metric.

    Args:
        panels (Mapping): (pretrained on, scored on) -> method -> metric -> mean and half width, in percent. What is
            missing is left out of its line.
        methods (Sequence[str]): From top to bottom.
        metrics (Sequence[str]): In the order of the legend.
        out (str or Path): Picture to write.
    """
    rows = list(dict.fromkeys(row for row, _ in panels))
    columns = list(dict.fromkeys(column for _, column in panels))
    size = (0.6 + 4.2 * len(columns), 0.9 + (0.9 + 0.42 * len(methods)) * len(rows))
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(len(rows), len(columns), squeeze=False, sharey=True)
    for (row, column), scores in panels.items():
        panel = axes[rows.index(row)][columns.index(column)]
        for number, metric in enumerate(metrics):
            known = [(line, scores.get(name, {}).get(metric)) for line, name in enumerate(methods)]
            found = [(line, interval) for line, interval in known if interval is not None]
            # Side by side within a line, so that no interval hides another.
            offset = (number - (len(metrics) - 1) / 2) * 0.7 / len(metrics)
            panel.errorbar(
                [interval.mean for _, interval in found],
                [line + offset for line, _ in found],
                xerr=[0 if math.isnan(interval.half_width) else interval.half_width for _, interval in found],
                fmt='o',
                markersize=4,
                capsize=2,
                color=COLOURS[number % len(COLOURS)],
                label=metric,
            )
        panel.set_title(f'{row} → {column}', fontsize=10)
        panel.set_yticks(range(len(methods)), methods, fontsize=8)
        panel.set_ylim(len(methods) - 0.5, -0.5)
        panel.set_xlabel('accuracy, %', fontsize=8)
        panel.tick_params(axis='x', labelsize=8)
        panel.grid(alpha=0.25)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=len(metrics), fontsize=8)
    figure.savefig(out, dpi=130)
