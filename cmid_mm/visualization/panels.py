"""What pictures of many panels share."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Text


def plain_text(text: str, longest: int = 16) -> str:
    """Cut a name to ``longest`` letters, and keep matplotlib from reading formulas in it."""
    text = text if len(text) <= longest else text[: longest - 1] + '…'
    # A dollar sign would start a formula.
    return text.replace('$', r'\$')


def outlined_text(panel: Axes, x: float, y: float, text: str, **style) -> Text:
    """Write white letters with a black rim, which can be read on any image."""
    shown = panel.text(x, y, text, color='white', **style)
    shown.set_path_effects([withStroke(linewidth=1.5, foreground='black')])
    return shown


def panels_and_bars(figure: Figure, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Lay out panels, and below each column room for a colour bar, which does not move the panels.

    Returns:
        tuple[np.ndarray, np.ndarray]: Panels ``(rows, columns)`` without ticks, and empty axes ``(columns,)`` for
        :func:`draw_bar`.
    """
    axes = figure.subplots(rows + 1, columns, squeeze=False, height_ratios=[1] * rows + [0.05])
    for panel in axes[:-1].flat:
        panel.set(xticks=[], yticks=[])
    for bar in axes[-1]:
        bar.set_axis_off()
    return axes[:-1], axes[-1]


def draw_bar(figure: Figure, place: Axes, shown: ScalarMappable, label: str = '') -> None:
    """Draw the colours and values of ``shown`` where :func:`panels_and_bars` has left room."""
    place.set_axis_on()
    bar = figure.colorbar(shown, cax=place, orientation='horizontal')
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)
