"""What lies on the ground: surroundings, parcels, roads, curves and water lines."""

import numpy as np

from .objects import RECTANGLE, cars, houses, place, trees
from .plan import Plan

# Families of ground cover and the mask class of each.
COVERS = {
    'grass': 'low_vegetation',
    'crop': 'farmland',
    'soil': 'background',
    'gravel': 'background',
    'sand': 'background',
    'concrete': 'road',
    'asphalt': 'road',
}
Bounds = tuple[float, float, float, float]


def start(plan: Plan, families: tuple[str, ...] = ('grass', 'grass', 'soil', 'crop')) -> str:
    """Lay the bare ground, the first object of every plan, and return its family."""
    family = str(plan.rng.choice(families))
    plan.material(family)
    plan.objects(COVERS[family], np.zeros((1, 2)))
    return family


def rectangle(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """Corners (4, 2) of an upright rectangle in the plan."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def scatter(plan: Plan, count: int, reach: float | None = None) -> np.ndarray:
    """Random places (count, 2)."""
    reach = plan.reach if reach is None else reach
    return plan.rng.uniform(-reach, reach, (count, 2))


def lattice(plan: Plan, dx: float, dy: float, jitter: float = 0.0, bounds: Bounds | None = None) -> np.ndarray:
    """Places on a grid inside ``bounds`` (x0, y0, x1, y1), each off by up to ``jitter`` of the spacing."""
    x0, y0, x1, y1 = bounds or (-plan.reach, -plan.reach, plan.reach, plan.reach)
    xs, ys = np.arange(x0 + dx / 2, x1 - 0.3 * dx, dx), np.arange(y0 + dy / 2, y1 - 0.3 * dy, dy)
    points = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    return points + plan.rng.uniform(-jitter, jitter, points.shape) * [dx, dy]


def blob(plan: Plan, centre: tuple[float, float], radius: float, rough: float = 0.25, corners: int = 48) -> np.ndarray:
    """Outline (corners, 2) of a lake or copse."""
    turns = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    outline = np.ones(corners)
    for wave in range(1, 7):
        size, phase = plan.rng.normal(0, rough / wave), plan.rng.uniform(0, 2 * np.pi)
        outline += size * np.cos(wave * turns + phase)
    outline = radius * np.clip(outline, 0.25, None)
    stretch = plan.rng.uniform(0.65, 1.0)
    points = np.stack([outline * np.cos(turns), stretch * outline * np.sin(turns)], axis=-1)
    return points + np.asarray(centre)


def curve(plan: Plan, bend: float, offset: float = 0.0, points: int = 40) -> np.ndarray:
    """A winding line (points, 2) along x from edge to edge; ``bend`` is its swing in metres."""
    xs = np.linspace(-1.25 * plan.reach, 1.25 * plan.reach, points)
    ys = np.full(points, offset)
    for wave in (0.5, 1.0, 1.8):
        phase = plan.rng.uniform(0, 2 * np.pi)
        ys += bend / (1 + wave) * plan.rng.normal() * np.sin(wave * np.pi * xs / plan.reach + phase)
    return np.stack([xs, ys], axis=-1)


def band(line: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """Outline (2n, 2) of a strip of ``width`` metres along a line (n, 2)."""
    step = np.gradient(line, axis=0)
    normal = np.stack([-step[:, 1], step[:, 0]], axis=-1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    half = np.broadcast_to(np.asarray(width) / 2, (len(line),))[:, None] * normal
    return np.concatenate([line + half, (line - half)[::-1]])


def shifted(line: np.ndarray, offset: float) -> np.ndarray:
    """The line (n, 2) that runs ``offset`` metres beside another."""
    outline = band(line, 2 * offset)
    return outline[: len(line)]


def along(line: np.ndarray, spacing: float, first: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Places (m, 2) every ``spacing`` metres along a line and the directions (m,) there."""
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    total = np.concatenate([[0], np.cumsum(lengths)])
    stops = np.arange(first, total[-1], spacing)
    points = np.stack([np.interp(stops, total, line[:, axis]) for axis in (0, 1)], axis=-1)
    step = np.gradient(line, axis=0)
    directions = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    return points, np.interp(stops, total, directions)


def dashes(plan: Plan, line: np.ndarray, owner: int, material: int, width: float, on: float, off: float) -> None:
    """Broken marking along a line."""
    points, directions = along(line, on + off)
    sizes = np.tile([on, max(width, 0.45 * plan.gsd)], (len(points), 1))
    plan.paint(place(RECTANGLE, points, directions, sizes), owner, material)


def road(
    plan: Plan,
    line: np.ndarray,
    width: float,
    family: str = 'asphalt',
    marked: bool = True,
    traffic: float = 0.0,
    height: float = 0.0,
) -> int:
    """A road along a line, with a broken centre line and ``traffic`` cars per 100 m; returns its object."""
    surface = plan.material(family)
    owner = plan.area('road', band(line, width), surface, height)
    if marked and width >= 5:
        dashes(plan, line, owner, plan.material('paint', 0.6), 0.2, 4.0, 5.0)
    if traffic > 0:
        for side in (-1, 1):
            points, directions = along(line, 14.0, plan.rng.uniform(0, 14))
            taken = plan.rng.random(len(points)) < traffic * 0.07
            normal = np.stack([-np.sin(directions), np.cos(directions)], axis=-1)
            places = points + side * width / 4 * normal + plan.rng.normal(0, 0.2, points.shape)
            cars(plan, places[taken], directions[taken])
    return owner


def surround(plan: Plan, density: float = 1.0, built: float = 0.35) -> None:
    """Ground that says little about the scene: patches of any cover, trees, bushes, sometimes houses and a road."""
    rng = plan.rng
    start(plan, ('grass', 'grass', 'soil', 'crop', 'gravel', 'sand'))
    for _ in range(int(rng.integers(0, 5))):
        family = str(rng.choice(('grass', 'soil', 'crop', 'grass', 'gravel', 'concrete')))
        rows = None
        if family == 'crop':
            rows = (rng.uniform(0, 0.15), rng.uniform(0, np.pi), rng.uniform(2, 6))
        centre = tuple(scatter(plan, 1)[0])
        radius = plan.extent * rng.uniform(0.1, 0.4)
        plan.area(COVERS[family], blob(plan, centre, radius, 0.2, 24), plan.material(family, rows=rows))
    if rng.random() < 0.3:
        turn = rng.uniform(0, np.pi)
        line = curve(plan, 0.2 * plan.extent, rng.uniform(-0.5, 0.5) * plan.extent) @ np.array(
            [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
        )
        road(plan, line, rng.uniform(3, 8), str(rng.choice(('asphalt', 'gravel', 'soil'))), traffic=0.4)
    if rng.random() < built:
        buildings(plan, scatter(plan, int(rng.integers(1, 7))))
    woods(plan, density * rng.gamma(1.0, 0.8))


def buildings(plan: Plan, centres: np.ndarray) -> np.ndarray:
    """Houses of mixed size at any angle that share one grid direction."""
    rng = plan.rng
    count = len(centres)
    angles = rng.uniform(0, np.pi) + np.pi / 2 * rng.integers(0, 2, count)
    length = rng.uniform(9, 20, count)
    return houses(plan, centres, angles, length, length * rng.uniform(0.5, 0.8, count), flat=0.3)


def woods(plan: Plan, density: float) -> None:
    """Clumps of trees; ``density`` 1 is a park."""
    rng = plan.rng
    clumps = int(rng.poisson(4 * density))
    if clumps == 0:
        return
    centres = scatter(plan, clumps).repeat(9, axis=0)
    reach = rng.uniform(2, 0.12 * plan.extent, clumps).repeat(9)[:, None]
    centres = centres + rng.normal(0, 1, centres.shape) * reach
    keep = rng.random(len(centres)) < 0.6
    trees(plan, centres[keep], rng.uniform(1.8, 4.0))
