"""Things that stand on the ground: trees, houses, cars, ships, planes, tanks, courts, panels and trains.

Each function places many of a kind at once: centres (n, 2) in metres, angles (n,) in radians;
it returns the object numbers (n,).
"""

import numpy as np

from .plan import Plan

RECTANGLE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


def place(template: np.ndarray, centres: np.ndarray, angles: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Scale (sizes (n, 2)), turn and move a template (k, 2) or templates (n, k, 2) to polygons (n, k, 2)."""
    points = np.asarray(template) * np.asarray(sizes)[:, None, :]
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1) + centres[:, None, :]


def ring(count: int, radius: float = 1.0) -> np.ndarray:
    """Regular polygon (count, 2)."""
    turns = np.arange(count) * (2 * np.pi / count)
    return radius * np.stack([np.cos(turns), np.sin(turns)], axis=-1)


def _spread(plan: Plan, values: float, count: int, by: float) -> np.ndarray:
    return values * plan.rng.uniform(1 - by, 1 + by, count)


def _seen(plan: Plan, centres: np.ndarray, *others: np.ndarray, margin: float) -> list[np.ndarray]:
    keep = plan.visible(centres, margin)
    return [centres[keep], *(np.broadcast_to(other, (len(keep),))[keep] for other in others)]


def trees(plan: Plan, centres: np.ndarray, radius: float | np.ndarray, species: np.ndarray | None = None) -> np.ndarray:
    """Round crowns of ``radius`` metres; ``species`` are leaf materials to choose from."""
    rng = plan.rng
    centres, radius = _seen(plan, np.asarray(centres).reshape(-1, 2), radius, margin=15.0)
    count = len(centres)
    if species is None:
        species = plan.palette_of('leaf', 2)
    owners = plan.objects('tree', centres)
    material = rng.choice(species, count)
    radius = radius * rng.uniform(0.75, 1.25, count)
    tint = rng.uniform(0.82, 1.15, count)
    sides = 9 if count and radius.mean() / plan.gsd > 2 else 6
    crowns = ring(sides)[None] * rng.uniform(0.82, 1.15, (count, sides, 1))
    angles = rng.uniform(0, 2 * np.pi, count)
    outline = place(crowns, centres, angles, np.repeat(radius[:, None], 2, 1))
    inner = place(crowns, centres, angles, np.repeat(0.55 * radius[:, None], 2, 1))
    # Crown and top in turn, so that a later tree covers an earlier one whole.
    order = np.stack([outline, inner], axis=1).reshape(-1, sides, 2)
    height = np.stack([1.3 * radius, 2.0 * radius], axis=1).reshape(-1)
    plan.paint(order, owners.repeat(2), material.repeat(2), height, tint=tint.repeat(2) * np.tile([1, 1.08], count))
    return owners


def houses(
    plan: Plan,
    centres: np.ndarray,
    angles: np.ndarray | float,
    length: np.ndarray | float,
    width: np.ndarray | float,
    flat: float = 0.15,
    roofs: np.ndarray | None = None,
    height: float = 5.0,
) -> np.ndarray:
    """Houses with a ridge along their length; a share ``flat`` of them has a flat roof with machinery on it."""
    rng = plan.rng
    centres, angles, length, width = _seen(plan, np.asarray(centres).reshape(-1, 2), angles, length, width, margin=60.0)
    count = len(centres)
    roofs = plan.palette_of('roof', 5) if roofs is None else roofs
    owners = plan.objects('building', centres)
    material = rng.choice(roofs, count)
    tint = rng.uniform(0.9, 1.1, count)
    sizes = np.stack([length, width], axis=-1)
    is_flat = rng.random(count) < flat
    level = height * rng.uniform(0.8, 1.3, count)
    across = np.stack([-np.sin(angles), np.cos(angles)], axis=-1)
    pitch = np.where(is_flat, 0.0, rng.uniform(0.12, 0.3, count))[:, None]
    ends = np.where(rng.random(count) < 0.5, 0.0, 0.2 * width / length)
    for sign in (-1, 1):
        half = place(RECTANGLE * [1, 0.5] + [0, 0.25 * sign], centres, angles, sizes)
        plan.paint(half, owners, material, level, sign * pitch * across, tint)
    hips = np.flatnonzero((ends > 0) & ~is_flat)
    along = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    for sign in (-1, 1):
        tip = 0.5 - ends[hips] * 2.4
        hip = np.zeros((len(hips), 3, 2))
        hip[:, 0], hip[:, 1] = (0.5 * sign, -0.5), (0.5 * sign, 0.5)
        hip[:, 2, 0] = tip * sign
        plan.paint(
            place(hip, centres[hips], angles[hips], sizes[hips]),
            owners[hips],
            material[hips],
            level[hips],
            sign * pitch[hips] * along[hips],
            tint[hips],
        )
    _machinery(plan, owners, centres, angles, sizes, level, is_flat)
    plan.boxes(owners, place(RECTANGLE, centres, angles, sizes))
    return owners


def _machinery(
    plan: Plan,
    owners: np.ndarray,
    centres: np.ndarray,
    angles: np.ndarray,
    sizes: np.ndarray,
    level: np.ndarray,
    which: np.ndarray,
) -> None:
    """Boxes on flat roofs."""
    rng = plan.rng
    metal = plan.material('metal')
    chosen = np.flatnonzero(which).repeat(3)
    offset = rng.uniform(-0.38, 0.38, (len(chosen), 1, 2))
    small = RECTANGLE[None] * rng.uniform(0.06, 0.16, (len(chosen), 1, 2)) + offset
    plan.paint(
        place(small, centres[chosen], angles[chosen], sizes[chosen]),
        owners[chosen],
        metal,
        level[chosen] + 1.5,
    )


_CAR = np.array(
    [[-0.5, -0.36], [-0.42, -0.5], [0.4, -0.5], [0.5, -0.3], [0.5, 0.3], [0.4, 0.5], [-0.42, 0.5], [-0.5, 0.36]]
)


def cars(
    plan: Plan, centres: np.ndarray, angles: np.ndarray | float, length: float = 4.5, width: float = 1.95
) -> np.ndarray:
    """Cars, or lorries with another ``length`` and ``width``."""
    rng = plan.rng
    centres, angles = _seen(plan, np.asarray(centres).reshape(-1, 2), angles, margin=12.0)
    count = len(centres)
    owners = plan.objects('car', centres)
    paints, glass = plan.palette_of('car', 6), plan.material('glass')
    long, wide = _spread(plan, length, count, 0.08), _spread(plan, width, count, 0.05)
    sizes = np.stack([long, wide], axis=-1)
    body = place(_CAR, centres, angles, sizes)
    plan.paint(body, owners, rng.choice(paints, count), 1.5)
    if plan.gsd < 0.9:
        for low, high in ((-0.36, -0.24), (0.1, 0.25)):
            window = RECTANGLE * [high - low, 0.8] + [(low + high) / 2, 0]
            plan.paint(place(window, centres, angles, sizes), owners, glass, 1.5)
    plan.boxes(owners, place(RECTANGLE, centres, angles, sizes))
    return owners


_HULL = np.array(
    [
        [-0.5, -0.36],
        [-0.42, -0.5],
        [0.12, -0.5],
        [0.36, -0.28],
        [0.5, 0.0],
        [0.36, 0.28],
        [0.12, 0.5],
        [-0.42, 0.5],
        [-0.5, 0.36],
    ]
)


def ships(plan: Plan, centres: np.ndarray, angles: np.ndarray | float, length: np.ndarray | float) -> np.ndarray:
    """Boats and ships with a bow, a deck and a cabin."""
    rng = plan.rng
    centres, angles, length = _seen(plan, np.asarray(centres).reshape(-1, 2), angles, length, margin=60.0)
    count = len(centres)
    owners = plan.objects('ship', centres)
    hulls, decks, glass = plan.palette_of('hull', 4), plan.palette_of('concrete', 2), plan.material('glass')
    wide = length * np.where(length > 30, 0.17, 0.3) * rng.uniform(0.9, 1.1, count)
    sizes = np.stack([length, wide], axis=-1)
    plan.paint(place(_HULL, centres, angles, sizes), owners, rng.choice(hulls, count), 2.0)
    plan.paint(place(_HULL * [0.82, 0.62], centres, angles, sizes), owners, rng.choice(decks, count), 2.0)
    cabin = RECTANGLE * [0.24, 0.62] + [-0.2, 0]
    plan.paint(place(cabin, centres, angles, sizes), owners, rng.choice(hulls, count), 4.0)
    plan.paint(place(RECTANGLE * [0.07, 0.55] + [-0.06, 0], centres, angles, sizes), owners, glass, 3.5)
    plan.boxes(owners, place(RECTANGLE, centres, angles, sizes))
    return owners


_WING = np.array([[0.16, 0.0], [-0.16, 0.5], [-0.24, 0.5], [-0.1, 0.0]])
_TAIL = np.array([[-0.37, 0.0], [-0.45, 0.19], [-0.5, 0.19], [-0.47, 0.0]])
_FUSELAGE = np.array(
    [
        [-0.5, 0.0],
        [-0.38, -0.05],
        [0.36, -0.055],
        [0.46, -0.035],
        [0.5, 0.0],
        [0.46, 0.035],
        [0.36, 0.055],
        [-0.38, 0.05],
    ]
)


def planes(plan: Plan, centres: np.ndarray, angles: np.ndarray | float, length: np.ndarray | float) -> np.ndarray:
    """Airliners seen from above: swept wings, engines, tail."""
    rng = plan.rng
    centres, angles, length = _seen(plan, np.asarray(centres).reshape(-1, 2), angles, length, margin=60.0)
    count = len(centres)
    owners = plan.objects('plane', centres)
    skins, wings, engine = plan.palette_of('paint', 3), plan.material('metal'), plan.material('steel')
    span = rng.uniform(0.88, 1.05, count)
    sizes = np.stack([length, length * span], axis=-1)
    for side in ([1, 1], [1, -1]):
        plan.paint(place(_WING * side, centres, angles, sizes), owners, wings, 4.0)
        nacelle = RECTANGLE * [0.1, 0.04] + [0.07, 0.17 * side[1]]
        plan.paint(place(nacelle, centres, angles, sizes), owners, engine, 3.5)
        plan.paint(place(_TAIL * side, centres, angles, sizes), owners, wings, 5.0)
    plan.paint(place(_FUSELAGE, centres, angles, sizes), owners, rng.choice(skins, count), 5.0)
    plan.boxes(owners, place(RECTANGLE, centres, angles, sizes))
    return owners


def tanks(plan: Plan, centres: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """Round storage tanks with a rim, a roof and a stair."""
    rng = plan.rng
    centres, radius = _seen(plan, np.asarray(centres).reshape(-1, 2), radius, margin=40.0)
    count = len(centres)
    owners = plan.objects('storage_tank', centres)
    skins = np.concatenate([plan.palette_of('metal', 2), plan.palette_of('concrete', 1)])
    material, tint = rng.choice(skins, count), rng.uniform(0.85, 1.1, count)
    angles, sizes = rng.uniform(0, 2 * np.pi, count), np.repeat(radius[:, None], 2, 1)
    level = np.clip(0.8 * radius, 4, 14)
    sunk = np.where(rng.random(count) < 0.4, 0.45, 1.02)  # floating roofs lie below the rim
    plan.paint(place(ring(20), centres, angles, sizes), owners, material, level, tint=tint)
    plan.paint(place(ring(20, 0.9), centres, angles, sizes), owners, material, level * sunk, tint=0.9 * tint)
    stair = RECTANGLE * [0.3, 0.08] + [0.85, 0]
    plan.paint(place(stair, centres, angles, sizes), owners, plan.material('steel'), level)
    plan.boxes(owners, place(2 * RECTANGLE, centres, 0 * angles, sizes))
    return owners


def courts(
    plan: Plan, centres: np.ndarray, angles: np.ndarray | float, length: float = 34.0, width: float = 17.0
) -> np.ndarray:
    """Tennis courts with their lines and net."""
    centres, angles = _seen(plan, np.asarray(centres).reshape(-1, 2), angles, margin=30.0)
    count = len(centres)
    owners = plan.objects('court', centres)
    outside, inside = plan.material('court'), plan.material('court')
    line = plan.material('paint', 0.9)
    sizes = np.tile([length, width], (count, 1))
    plan.paint(place(RECTANGLE, centres, angles, sizes), owners, outside)
    plan.paint(place(RECTANGLE * [0.72, 0.66], centres, angles, sizes), owners, inside)
    thick = max(0.15, 0.35 * plan.gsd)
    marks = [(0.0, y, 0.70, thick / width) for y in (-0.32, -0.24, 0.24, 0.32)]
    marks += [(x, 0.0, thick / length, 0.64) for x in (-0.35, 0.35, 0.0)]
    marks += [(x, 0.0, thick / length, 0.48) for x in (-0.19, 0.19)] + [(0.0, 0.0, 0.38, thick / width)]
    for x, y, long, wide in marks:
        mark = RECTANGLE * [long, wide] + [x, y]
        plan.paint(place(mark, centres, angles, sizes), owners, line)
    plan.boxes(owners, place(RECTANGLE, centres, angles, sizes))
    return owners


def panels(plan: Plan, centres: np.ndarray, angle: float, length: float, width: float) -> np.ndarray:
    """Rows of solar panels, tilted across their length."""
    (centres,) = _seen(plan, np.asarray(centres).reshape(-1, 2), margin=length)
    count = len(centres)
    owners = plan.objects('solar_panel', centres)
    angles, sizes = np.full(count, angle), np.tile([length, width], (count, 1))
    facing = 0.12 * np.array([-np.sin(angle), np.cos(angle)])
    cells = plan.material('panel', rows=(0.14, angle, 4.0))
    plan.paint(place(RECTANGLE, centres, angles, sizes), owners, cells, 1.6, facing)
    edge = RECTANGLE * [1, 0.1] + [0, 0.45]
    plan.paint(place(edge, centres, angles, sizes), owners, plan.material('metal'), 1.0)
    return owners


def trains(plan: Plan, centres: np.ndarray, angles: np.ndarray, length: float = 22.0, width: float = 3.0) -> np.ndarray:
    """Wagons."""
    rng = plan.rng
    centres, angles = _seen(plan, np.asarray(centres).reshape(-1, 2), angles, margin=30.0)
    count = len(centres)
    owners = plan.objects('train', centres)
    skins = np.concatenate([plan.palette_of('roof', 2), plan.palette_of('metal', 2)])
    sizes = np.tile([length, width], (count, 1))
    plan.paint(place(RECTANGLE, centres, angles, sizes), owners, rng.choice(skins, count), 3.5)
    spine = RECTANGLE * [0.9, 0.25]
    plan.paint(place(spine, centres, angles, sizes), owners, rng.choice(skins, count), 3.8)
    plan.boxes(owners, place(RECTANGLE, centres, angles, sizes))
    return owners
