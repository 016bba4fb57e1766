"""What differs between the two dates of a place: things come and go, land is cleared and built on, a road is added."""

import numpy as np

from .ground import COVERS, band, rectangle
from .objects import houses
from .plan import FIRST, MASK_CLASSES, SECOND, Plan

# Largest share of a class that is at one of the dates only.
_TURNOVER = {
    'building': 0.25,
    'car': 0.4,
    'ship': 0.5,
    'plane': 0.5,
    'storage_tank': 0.3,
    'train': 0.5,
    'solar_panel': 0.2,
}
# Land that nobody would build on.
_KEPT = ('water', 'road', 'building', 'railway', 'court', 'storage_tank')


def exchange(plan: Plan, rng: np.random.Generator) -> bool:
    """Let some objects exist at one date only; a ship that moved is one that left and one that came.

    Returns:
        Whether anything may change at all: one place in ten stays as it is.
    """
    if rng.random() < 0.1:
        return False
    for label, most in _TURNOVER.items():
        owners = plan.of_class([label])
        draw = rng.random(len(owners))
        left, came = rng.uniform(0, most, 2) / 2
        plan.set_presence(owners[draw < left], FIRST)
        plan.set_presence(owners[draw > 1 - came], SECOND)
    return True


def develop(plan: Plan, rng: np.random.Generator, mask: np.ndarray) -> None:
    """Clear or build on a piece of land, or lead a road through, at the second date.

    Args:
        plan: The place; gains objects and loses others.
        rng: Generator of the changes.
        mask: Mask (H, W) of the first date, which says where land is free.
    """
    for _ in range(int(rng.integers(0, 3))):
        if rng.random() < 0.3:
            _new_road(plan, rng, mask)
        else:
            _site(plan, rng, mask)


def _under(plan: Plan, polygon: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """Mask classes (n,) about a polygon, or None if it is no land to build on."""
    pixels = plan.to_pixels(polygon)
    low = np.clip(np.floor(pixels.min(axis=0)).astype(int), 0, plan.size)
    high = np.clip(np.ceil(pixels.max(axis=0)).astype(int), 0, plan.size)
    under = mask[low[1] : high[1], low[0] : high[0]].ravel()
    kept = [MASK_CLASSES.index(label) for label in _KEPT]
    if under.size < 0.005 * mask.size or np.isin(under, kept).mean() > 0.25:
        return None
    return under


def _unlike(rng: np.random.Generator, under: np.ndarray, families: tuple[str, ...]) -> str:
    """A family of another mask class than most of what lies there, so that the change can be seen."""
    most = MASK_CLASSES[int(np.bincount(under).argmax())]
    return str(rng.choice([family for family in families if COVERS[family] != most]))


def _clear(plan: Plan, polygon: np.ndarray) -> None:
    """Take away what stands on ``polygon`` at the second date."""
    owners = plan.within(polygon)
    plan.set_presence(owners[plan.presence(owners) != SECOND], FIRST)
    plan.set_presence(owners[plan.presence(owners) == SECOND], 0)


def _site(plan: Plan, rng: np.random.Generator, mask: np.ndarray) -> None:
    for _ in range(8):
        middle = rng.uniform(-0.4, 0.4, 2) * plan.extent
        half = rng.uniform(0.06, 0.2, 2) * plan.extent
        polygon = rectangle(*(middle - half), *(middle + half))
        under = _under(plan, polygon, mask)
        if under is not None:
            break
    else:
        return
    _clear(plan, polygon)
    family = _unlike(rng, under, ('soil', 'soil', 'gravel', 'concrete', 'grass'))
    plan.area(COVERS[family], polygon, plan.material(family), presence=SECOND)
    if rng.random() < 0.6:
        spacing = rng.uniform(16, 28)
        counts = np.maximum(1, (2 * half / spacing).astype(int))
        steps = [np.linspace(-1, 1, 2 * n + 1)[1::2] * h for n, h in zip(counts, half, strict=True)]
        centres = np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2) + middle
        length = min(0.7 * spacing, 1.5 * half.min())
        plan.set_presence(houses(plan, centres, 0.0, length, 0.65 * length, 0.3), SECOND)


def _new_road(plan: Plan, rng: np.random.Generator, mask: np.ndarray) -> None:
    for _ in range(8):
        turn, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.35, 0.35) * plan.extent
        ahead = np.array([np.cos(turn), np.sin(turn)])
        start = offset * np.array([-ahead[1], ahead[0]])
        end = start + ahead * plan.extent * rng.uniform(0.3, 0.9)
        polygon = band(np.stack([start, end]), rng.uniform(4, 9))
        under = _under(plan, polygon, mask)
        if under is not None:
            break
    else:
        return
    _clear(plan, polygon)
    family = str(rng.choice(('asphalt', 'concrete', 'gravel')))
    plan.area('road', polygon, plan.material(family), presence=SECOND)
