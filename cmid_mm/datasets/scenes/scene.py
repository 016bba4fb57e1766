"""One aerial-looking scene: picture, label, mask, oriented boxes, and a second date with known change."""

from dataclasses import dataclass

import numpy as np

from .canvas import Texture, photograph
from .changes import develop, exchange
from .layouts import LAYOUTS
from .palette import Palette, draw_light
from .plan import BOX_CLASSES, FIRST, MASK_CLASSES, SECOND, Plan

SCENE_CLASSES = tuple(sorted(LAYOUTS))
SMALLEST = 32
# Share of its box that an object fills.
_FILL = {'plane': 0.3, 'ship': 0.8, 'storage_tank': 0.78}


@dataclass(frozen=True)
class Scene:
    """A drawn scene of ``H = W = size``.

    Args:
        image: First date, uint8 (H, W, 3), RGB.
        label: Name of the scene class, of ``SCENE_CLASSES``.
        mask: Classes of the first date, uint8 (H, W), indices of ``MASK_CLASSES``.
        boxes: Corners x1 y1 ... x4 y4 of the first date's objects, float32 (n, 8), pixels; pixel i covers [i, i + 1].
        box_labels: Their classes, (n,) names of ``BOX_CLASSES``.
        box_difficult: Whether they are cut off, mostly hidden or very small, bool (n,).
        later: Second date, like ``image``; None where it was not asked for, as are the next two.
        later_mask: Classes of the second date, like ``mask``.
        change: 1 where another object lies at the second date, uint8 (H, W); season, light and shadows are no change.
    """

    image: np.ndarray
    label: str
    mask: np.ndarray
    boxes: np.ndarray
    box_labels: tuple[str, ...]
    box_difficult: np.ndarray
    later: np.ndarray | None = None
    later_mask: np.ndarray | None = None
    change: np.ndarray | None = None


def class_name(label: int | str) -> str:
    """Name of a scene class given by name or by its place in ``SCENE_CLASSES``."""
    if isinstance(label, str) and label in LAYOUTS:
        return label
    if isinstance(label, int | np.integer) and 0 <= label < len(SCENE_CLASSES):
        return SCENE_CLASSES[int(label)]
    raise ValueError(
        f'label {label!r} names no scene class: give one of {", ".join(SCENE_CLASSES)}, or a number '
        f'from 0 to {len(SCENE_CLASSES) - 1}'
    )


def draw_scene(seed: int, label: int | str, size: int = 128, later: bool = True) -> Scene:
    """Draw a scene, a pure function of its arguments.

    Args:
        seed: Any number from 0.
        label: Scene class, a name of ``SCENE_CLASSES`` or its place there.
        size: Pixels a side, from 32.
        later: Draw the second date as well; it changes nothing of the first and takes as long again.

    Raises:
        ValueError: If the seed is negative, the class unknown or the size too small.
    """
    name = class_name(label)
    if seed < 0:
        raise ValueError(f'seed {seed} of a scene is negative: give a number from 0')
    if size < SMALLEST:
        raise ValueError(f'size {size} of a scene is too small: give at least {SMALLEST} pixels')
    streams = np.random.SeedSequence([seed, SCENE_CLASSES.index(name)]).spawn(5)
    place, change, ground, first, second = map(np.random.default_rng, streams)

    low, high = LAYOUTS[name].extent
    extent = float(np.exp(place.uniform(np.log(low), np.log(high)))) * (size / 128) ** 0.5
    plan = Plan(place, extent, size)
    LAYOUTS[name].fill(plan)
    changes = exchange(plan, change)

    raster = plan.raster(FIRST)
    owners = _owners(plan, raster)
    mask = plan.classes()[owners]
    texture = Texture(ground, plan)
    image = photograph(plan, raster, texture, Palette(first), draw_light(first), first)
    boxes, labels, difficult = _visible_boxes(plan, owners)
    if not later:
        return Scene(image, name, mask, boxes, labels, difficult)

    if changes:
        develop(plan, change, mask)
    raster = plan.raster(SECOND)
    owners_later = _owners(plan, raster)
    return Scene(
        image,
        name,
        mask,
        boxes,
        labels,
        difficult,
        later=photograph(plan, raster, texture, Palette(second), draw_light(second), second),
        later_mask=plan.classes()[owners_later],
        change=(owners != owners_later).astype(np.uint8),
    )


def _owners(plan: Plan, raster: np.ndarray) -> np.ndarray:
    """Object on top at each pixel, (size, size)."""
    middle = plan.supersample // 2
    return plan.tables().owner[raster[middle :: plan.supersample, middle :: plan.supersample]]


def _visible_boxes(plan: Plan, owners: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Boxes (n, 8), class names (n,) and difficult flags (n,) of the objects of the first date that can be seen."""
    numbers, corners = plan.box_table(FIRST)
    pixels = np.bincount(owners.ravel(), minlength=int(numbers.max(initial=0)) + 1)[numbers]
    names = np.array(MASK_CLASSES)[plan.classes()[numbers]]
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)[:, :2]
    whole = sides.prod(axis=1) * np.array([_FILL.get(name, 1.0) for name in names])
    share = pixels / np.maximum(whole, 1e-6)
    kept = np.flatnonzero((pixels >= 3) & (share >= 0.2) & np.isin(names, BOX_CLASSES))
    centres = corners[kept].mean(axis=1)
    outside = ((centres < 0) | (centres > plan.size)).any(axis=1)
    difficult = outside | (share[kept] < 0.5) | (sides[kept].min(axis=1, initial=np.inf) < 2)
    return corners[kept].reshape(-1, 8).astype(np.float32), tuple(names[kept].tolist()), difficult
