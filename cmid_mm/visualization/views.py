"""The views of a sample as training gets them: where they were cut, what is masked, which cells are compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import init_default_scope
from mmpretrain.datasets.transforms import PackInputs
from mmpretrain.registry import DATASETS, MODELS, TRANSFORMS

from cmid_mm.apis.trained import distinct_colours
from cmid_mm.datasets import EpochSampler, SeededIndex, seeded
from cmid_mm.datasets.transforms import Crop, RandomResizedCropWithPositions, TwoViews, cell_positions
from cmid_mm.datasets.transforms.views import RELEASED_EPSILON, PositionUnits
from cmid_mm.models.utils import match_cells

from .panels import outlined_text, plain_text
from .reconstructions import enlarge_mask, to_uint8

MOST_COLUMNS = 5
OUTLINES = ('#e3452f', '#1f6fd6', '#2f9e44', '#9c36b5', '#e8890c', '#0b7285', '#c2255c', '#5c940d')


@dataclass(frozen=True)
class ViewedSample:
    """One sample of training.

    Attributes:
        name (str): Path of the image.
        source (np.ndarray): ``(H', W', 3)`` uint8, what the views were cut from, perhaps decoded at a reduced scale.
        size (tuple[float, float]): Height and width of the source in the pixels that positions count.
        views (list[np.ndarray]): ``(S, S, 3)`` uint8, as the model gets them, without masks.
        masks (list[np.ndarray]): ``(h, w)`` of each view, 1 = masked; empty if the pipeline draws none.
        positions (list[np.ndarray]): ``(N, N, 2)`` of each view, the cell centres that training compares.
        crops (list[Crop]): Where each view was cut, in the pixels of ``size``.
    """

    name: str
    source: np.ndarray
    size: tuple[float, float]
    views: list[np.ndarray]
    masks: list[np.ndarray]
    positions: list[np.ndarray]
    crops: list[Crop]

    def centres(self, view: int) -> np.ndarray:
        """Cell centres ``(N, N, 2)`` of a view in the pixels of ``size``, whatever units training compares."""
        return cell_positions(self.crops[view], (0, 0), len(self.positions[view]))


def first_samples(cfg: Config, count: int, epoch: int = 0, images: Sequence[str] = ()) -> list[ViewedSample]:
    """Draw the samples that a run of a pretraining config sees first in an epoch.

    Args:
        cfg (Config): Its seed, data set, pipeline and data preprocessor count.
        count (int): Samples.
        epoch (int): Counted from 0. Defaults to 0.
        images (Sequence[str]): Files to take instead of those of the data set, in this order. Defaults to ().

    Raises:
        FileNotFoundError: If the data set has no folder or no image.
        UnreadableImageError: If an image is damaged.
        ValueError: If the config trains on no views of :class:`RandomResizedCropWithPositions`.
    """
    init_default_scope('mmpretrain')
    settings = dict(cfg.get('train_dataloader', {}).get('dataset', {}))
    if 'RandomResizedCropWithPositions' not in str(settings.get('pipeline')):
        raise ValueError(
            'the training pipeline of this config cuts no view by RandomResizedCropWithPositions; give the config of a '
            'pretraining of this package'
        )
    steps = [TRANSFORMS.build(dict(step)) for step in settings.pop('pipeline')]
    if num_matches_of(cfg) is None:
        # One cell, as in SwAV's views, would not tell how large a crop is, and here nobody compares cells.
        for cut in _cuts(steps):
            cut.num_cells = max(2, cut.num_cells)
    preprocessor = MODELS.build(dict(cfg.get('data_preprocessor') or cfg.model.data_preprocessor))
    seed = cfg.get('randomness', {}).get('seed') or 0
    if images:
        infos = [dict(img_path=str(path)) for path in images[:count]]
        sampler = EpochSampler(images, seed=seed)
        sampler.set_epoch(epoch)
        indices = [sampler.seeded(index) for index in range(len(infos))]
    else:
        dataset = DATASETS.build(dict(settings, pipeline=[]))  # gives paths, or the bytes in a pack
        sampler = EpochSampler(dataset, seed=seed)
        sampler.set_epoch(epoch)
        indices = [index for index, _ in zip(sampler, range(count), strict=False)]
        infos = [dataset[int(index)] for index in indices]
    return [_sample(steps, preprocessor, info, index) for info, index in zip(infos, indices, strict=True)]


def _sample(steps: list, preprocessor: torch.nn.Module, info: dict, index: SeededIndex) -> ViewedSample:
    source, results, packed, units = None, dict(info), None, []
    with seeded(index.seed):
        for step in steps:
            if source is None and (units := [cut.position_units for cut in _cuts([step])]):
                source, scale = results['img'].copy(), results.get('scale_factor', (1.0, 1.0))
            if isinstance(step, PackInputs):
                packed = step(dict(results))
            else:
                results = step(results)
        if packed is None:
            raise ValueError('the training pipeline of this config has no PackInputs; add it, as the last step')
        batch = preprocessor(default_collate([packed]), training=True)
    inputs = batch['inputs'] if isinstance(batch['inputs'], list) else [batch['inputs']]
    mean, std = (getattr(preprocessor, name).flatten().tolist() for name in ('mean', 'std'))
    positions, masks = (_of_views(results, key, len(inputs)) for key in ('cell_positions', 'mask'))
    shape = source.shape[:2]
    size = (shape[0] / scale[1], shape[1] / scale[0])
    crops = []
    for cells, unit in zip(positions, units, strict=True):
        crop = crop_of_positions(cells, shape, unit)
        if unit == 'released':  # which counts in decoded pixels
            crop = Crop(
                crop.height / scale[1], crop.width / scale[0], crop.top / scale[1], crop.left / scale[0], crop[4]
            )
        crops.append(crop)
    views = [to_uint8(view.cpu().numpy(), mean, std)[0] for view in inputs]
    return ViewedSample(info['img_path'], source, size, views, masks, positions, crops)


def _cuts(steps: Sequence) -> list[RandomResizedCropWithPositions]:
    """The crop of each view that these transforms cut."""
    views = [step.views if isinstance(step, TwoViews) else [[step]] for step in steps]
    found = [getattr(view, 'transforms', view) for several in views for view in several]
    return [step for view in found for step in view if isinstance(step, RandomResizedCropWithPositions)]


def num_matches_of(cfg: Config) -> int | None:
    """Pairs of cells that a config compares, None if it compares none."""
    head = cfg.get('model', {}).get('local_head')
    return head and head.get('num_matches', 20)


def _of_views(results: dict, key: str, views: int) -> list[np.ndarray]:
    if key not in results:
        return []
    return list(np.asarray(results[key])) if views > 1 else [np.asarray(results[key])]


def crop_of_positions(positions: np.ndarray, image_size: tuple[int, int], units: PositionUnits = 'pixel') -> Crop:
    """The crop of a view, from the positions of its cells: the inverse of :func:`cell_positions`.

    Args:
        positions (np.ndarray): (row, column) of the cells' centres ``(N, N, 2)``.
        image_size (tuple[int, int]): Height and width of the image that was cropped.
        units (str): As in :func:`cell_positions`. Defaults to ``'pixel'``.

    Raises:
        ValueError: If there is one cell alone, which does not tell how large the crop was.
    """
    num_cells = len(positions)
    if num_cells < 2:
        raise ValueError('a view of one cell does not tell where it was cut; give views of 64 pixels or more')
    lengths, starts = [], []
    for centres, whole in zip((positions[:, 0, 0], positions[0, :, 1]), image_size, strict=True):
        step = abs(float(centres[-1] - centres[0])) / (num_cells - 1)
        start = float(centres.min()) - step / 2
        length = num_cells * step
        lengths.append(length)
        starts.append(start * (whole - length + RELEASED_EPSILON) if units == 'released' else start)
    return Crop(*lengths, *starts, flipped=bool(positions[0, 0, 1] > positions[0, -1, 1]))


def matched_cells(sample: ViewedSample, num_matches: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pair the cells of both views as CMID's local head does.

    Returns:
        list[tuple]: For the student on the first and on the second view: its cells ``(M,)``, the teacher's cells
        ``(M,)`` in the other view, both row by row, and the distance of their centres in pixels of the image.
    """
    positions = [torch.from_numpy(cells)[None] for cells in sample.positions]
    directions = []
    for own, other in ((0, 1), (1, 0)):
        pairs = match_cells(positions[own], positions[other], min(num_matches, positions[own][0, ..., 0].numel()))
        own_cells, other_cells = (cells[0].numpy() for cells in pairs)
        ends = sample.centres(own).reshape(-1, 2)[own_cells], sample.centres(other).reshape(-1, 2)[other_cells]
        directions.append((own_cells, other_cells, np.linalg.norm(ends[0] - ends[1], axis=1)))
    return directions


def draw_views(samples: Sequence[ViewedSample], out: str | Path, num_matches: int | None = None) -> None:
    """Draw each sample: the image with the outlines of its views, and the views with their masks.

    With ``num_matches`` a sample of two views has two rows, one a direction of the local loss: the view that the
    student sees masked and the one that the teacher sees whole. Cells of one number and colour are compared; dots of
    that colour on the image, joined by a line, are their centres.

    Args:
        samples (Sequence[ViewedSample]): What :func:`first_samples` returns.
        out (str | Path): Picture to write.
        num_matches (int, optional): Pairs of cells that training compares. Defaults to None: none are.
    """
    compared = num_matches is not None
    panels_of_sample = 1 + len(samples[0].views)
    columns = 3 if compared else min(panels_of_sample, MOST_COLUMNS)
    rows_of_sample = 2 if compared else -(-panels_of_sample // columns)
    rows = len(samples) * rows_of_sample
    figure = Figure(figsize=(2.9 * columns, 3.15 * rows), layout='constrained')
    panels = figure.subplots(rows, columns, squeeze=False)
    for number, sample in enumerate(samples):
        own_panels = panels[number * rows_of_sample : (number + 1) * rows_of_sample]
        if not compared:
            _draw_source(own_panels.flat[0], sample)
            for view, panel in enumerate(own_panels.flat[1:panels_of_sample]):
                _draw_view(panel, sample, view, f'view {view + 1}', masked=True)
            for panel in own_panels.flat[panels_of_sample:]:
                panel.set_axis_off()
            continue
        for own, (cells, others, distances) in enumerate(matched_cells(sample, num_matches)):
            row, other = own_panels[own], 1 - own
            _draw_source(row[0], sample)
            _draw_view(row[1 + own], sample, own, f'view {own + 1}, masked: student', masked=True)
            _draw_view(row[1 + other], sample, other, f'view {other + 1}, whole: teacher', masked=False)
            _draw_pairs(row, sample, own, cells, others)
            row[0].set_xlabel(
                f'{len(cells)} pairs, {distances.min():.1f} to {distances.max():.1f} px apart', fontsize=8
            )
    figure.savefig(out, dpi=110)


def _draw_source(panel: Axes, sample: ViewedSample) -> None:
    height, width = sample.size
    panel.imshow(sample.source, extent=(0, width, height, 0))
    for view, (crop, colour) in enumerate(zip(sample.crops, OUTLINES, strict=False)):
        style = dict(fill=False, linewidth=2, edgecolor=colour)
        panel.add_patch(Rectangle((crop.left, crop.top), crop.width, crop.height, **style))
        # Each in another corner, for crops often share one.
        right, bottom = view % 2, view // 2 % 2
        panel.text(
            crop.left + right * crop.width,
            crop.top + bottom * crop.height,
            str(view + 1),
            color='white',
            fontsize=8,
            ha='right' if right else 'left',
            va='bottom' if bottom else 'top',
            bbox=dict(facecolor=colour, edgecolor='none', pad=1.5),
        )
    panel.set_title(plain_text(f'{Path(sample.name).name}, {width:.0f} x {height:.0f} px', 38), fontsize=8)
    margin = 0.01 * max(height, width)  # for outlines along the border
    panel.set(xlim=(-margin, width + margin), ylim=(height + margin, -margin))
    panel.tick_params(labelsize=6)


def _draw_view(panel: Axes, sample: ViewedSample, view: int, title: str, masked: bool) -> None:
    image = sample.views[view]
    if masked and sample.masks:
        image = hide_masked(image, sample.masks[view])
    panel.imshow(image)
    mirrored = ', mirrored' if sample.crops[view].flipped else ''
    panel.set_title(title + mirrored, fontsize=8)
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set(linewidth=2.5, color=OUTLINES[view % len(OUTLINES)])


def hide_masked(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Lay an image's own mean colour, which the student sees there, four fifths over what is masked.

    Args:
        image (np.ndarray): ``(H, W, 3)`` uint8.
        mask (np.ndarray): ``(h, w)``, 1 = masked; H and W are multiples of h and w.
    """
    hidden = enlarge_mask(mask[None], image[None])[0]
    return np.where(hidden[..., None], 0.2 * image + 0.8 * image.mean(axis=(0, 1)), image).astype(np.uint8)


def _draw_pairs(row: Sequence[Axes], sample: ViewedSample, own: int, cells: np.ndarray, others: np.ndarray) -> None:
    """Number and colour the pairs; several cells of the student may share one of the teacher, and then a number."""
    shared = list(dict.fromkeys(others.tolist()))
    # Neighbours get colours that lie apart.
    colours = distinct_colours(len(shared))
    colours = [np.array(colours[(7 * i) % len(colours) if len(colours) % 7 else i]) / 255 for i in range(len(colours))]
    ends = sample.centres(own).reshape(-1, 2), sample.centres(1 - own).reshape(-1, 2)
    for cell, other in zip(cells, others, strict=True):
        number = shared.index(other)
        for view, place in ((own, cell), (1 - own, other)):
            _mark_cell(row[1 + view], sample, view, place, number + 1, colours[number])
        (top, left), (other_top, other_left) = ends[0][cell], ends[1][other]
        row[0].plot([left, other_left], [top, other_top], '-o', color=colours[number], markersize=3.5, linewidth=1.5)


def _mark_cell(panel: Axes, sample: ViewedSample, view: int, cell: int, number: int, colour: np.ndarray) -> None:
    side = len(sample.views[view]) / len(sample.positions[view])
    row, column = divmod(int(cell), len(sample.positions[view]))
    style = dict(facecolor=(*colour, 0.12), edgecolor=colour, linewidth=2.2)
    # Half a pixel: the first pixel of a picture reaches from -0.5 to 0.5. A little smaller, so that neighbours show.
    panel.add_patch(Rectangle((column * side + 0.5, row * side + 0.5), side - 2, side - 2, **style))
    middle = ((column + 0.5) * side - 0.5, (row + 0.5) * side - 0.5)
    outlined_text(panel, *middle, str(number), fontsize=8, ha='center', va='center', fontweight='bold')
