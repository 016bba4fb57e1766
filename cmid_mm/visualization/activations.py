"""What a backbone sees in an image: colours of its cells' main directions, their norms, and where Swin attends."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from mmpretrain.models.utils import ShiftWindowMSA
from sklearn.decomposition import PCA
from torch import Tensor, nn

from .panels import draw_bar, outlined_text, panels_and_bars


def principal_colours(maps: np.ndarray) -> np.ndarray:
    """Show the first three principal components of all cells of all images as red, green and blue (DINOv2, figure 1).

    Cells of one colour have alike features, within an image and across images; the colours themselves mean nothing.

    Args:
        maps (np.ndarray): Last maps ``(n, C, h, w)``.

    Returns:
        np.ndarray: ``(n, h, w, 3)``, 0 to 1; each component from its 1st to its 99th percentile.

    Raises:
        ValueError: Fewer than 4 cells, or 3 channels, in all.
    """
    cells = maps.transpose(0, 2, 3, 1).reshape(-1, maps.shape[1])
    if min(len(cells) - 1, maps.shape[1]) < 3:
        raise ValueError(
            f'{len(cells)} cells of {maps.shape[1]} channels have no three components; use more or larger images'
        )
    # By the full decomposition, which has no random start.
    components = PCA(3, svd_solver='full').fit_transform(cells)
    low, high = np.percentile(components, (1, 99), axis=0)
    scaled = (components - low) / np.maximum(high - low, 1e-12)
    return np.clip(scaled, 0, 1).reshape(*maps.shape[:1], *maps.shape[2:], 3)


def cell_norms(maps: np.ndarray) -> np.ndarray:
    """Euclidean norms ``(n, h, w)`` of the cells of maps ``(n, C, h, w)``."""
    return np.linalg.norm(maps, axis=1)


@contextmanager
def attention_of_stages(backbone: nn.Module) -> Iterator[list[np.ndarray]]:
    """Record, while images pass through a Swin Transformer, which tokens are attended to.

    Recorded is :func:`received_attention` of the blocks whose windows are not shifted, every other one, averaged over
    the blocks of a stage.

    Args:
        backbone (nn.Module): In evaluation mode.

    Yields:
        list[np.ndarray]: Empty; afterwards a map ``(n, h, w)`` of the images seen for each stage, none for a network
        without windows.
    """
    blocks = [block for block in backbone.modules() if isinstance(block, ShiftWindowMSA) and not block.shift_size]
    recorders = [_Recorder(block) for block in blocks]
    stages: list[np.ndarray] = []
    try:
        yield stages
    finally:
        for recorder in recorders:
            recorder.remove()
    maps = [np.concatenate(recorder.maps) for recorder in recorders if recorder.maps]
    # Every stage has half the cells a side of the one before.
    shapes = dict.fromkeys(each.shape for each in maps)
    stages += [np.mean([each for each in maps if each.shape == shape], axis=0) for shape in shapes]


class _Recorder:
    """Keeps the received attention of a block for every batch that passes."""

    def __init__(self, block: ShiftWindowMSA) -> None:
        self.maps: list[np.ndarray] = []
        self.window = block.window_size
        self._handles = [
            block.register_forward_pre_hook(self._note_size),
            block.w_msa.softmax.register_forward_hook(self._note_attention),
        ]

    def _note_size(self, block: nn.Module, args: tuple) -> None:
        self.size = args[1]

    def _note_attention(self, softmax: nn.Module, args: tuple, attention: Tensor) -> None:
        self.maps.append(received_attention(attention, self.size, self.window).cpu().numpy())

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()


def received_attention(attention: Tensor, size: tuple[int, int], window: int) -> Tensor:
    """Lay out, as a map, the attention that tokens receive.

    It is averaged over heads and over the tokens of the window, times their number: 1 if attention were even.

    Args:
        attention (Tensor): ``(B * windows, heads, N, N)``, rows (queries) sum to 1; N = window².
        size (tuple[int, int]): Height and width of the map in tokens, before padding to whole windows.
        window (int): Tokens a side of a window.

    Returns:
        Tensor: ``(B, h, w)``; over whole windows the mean is 1.
    """
    height, width = (-(-side // window) * window for side in size)
    received = attention.mean(dim=(1, 2)) * window**2
    whole = ShiftWindowMSA.window_reverse(received.view(-1, window, window, 1), height, width, window)
    return whole[:, : size[0], : size[1], 0]


def draw_activations(
    images: np.ndarray,
    colours: np.ndarray,
    norms: np.ndarray,
    attention: Sequence[np.ndarray],
    names: Sequence[str],
    out: str | Path,
) -> None:
    """Draw a row an image: itself, its principal colours, its norms, and the attention of each stage, if any.

    Args:
        images (np.ndarray): ``(n, S, S, 3)`` uint8.
        colours (np.ndarray): What :func:`principal_colours` returns.
        norms (np.ndarray): What :func:`cell_norms` returns.
        attention (Sequence[np.ndarray]): Maps ``(n, h, w)`` of each stage.
        names (Sequence[str]): A title for each image.
        out (str | Path): Picture to write.
    """
    columns = [images, colours, norms, *attention]
    rows, cells = norms.shape[1:]
    stages = [f'attention, stage {number + 1}' for number in range(len(attention))]
    titles = ['image', f'PCA of {rows} x {cells} cells', 'norm', *stages]
    figure = Figure(figsize=(2 * len(columns), 2.02 * len(images) + 0.7), layout='constrained')
    panels, bars = panels_and_bars(figure, len(images), len(columns))
    for column, (values, title) in enumerate(zip(columns, titles, strict=True)):
        scale = {}
        if column >= 2:
            # Norms from 0: behind a layer norm, as Swin's, they may hardly differ, and should not look as if they did.
            low = 0 if column == 2 else float(values.min())
            scale = dict(cmap='viridis' if column == 2 else 'inferno', vmin=low, vmax=np.percentile(values, 99.5))
        for panel, picture in zip(panels[:, column], values, strict=True):
            shown = panel.imshow(picture, **scale)
        panels[0, column].set_title(title, fontsize=9)
        if scale:
            draw_bar(figure, bars[column], shown)
    for panel, name in zip(panels[:, 0], names, strict=True):
        outlined_text(panel, 0.03, 0.03, name, fontsize=7, transform=panel.transAxes)
    figure.savefig(out, dpi=110)
