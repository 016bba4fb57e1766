"""Layouts of the country: fields, orchard, forest, solar farm, and waters without ships."""

import numpy as np

from ..ground import (
    COVERS,
    along,
    band,
    blob,
    buildings,
    curve,
    lattice,
    rectangle,
    road,
    scatter,
    start,
    surround,
    woods,
)
from ..objects import panels, trees
from ..plan import Plan


def parcels(plan: Plan, smallest: float) -> list[tuple[float, float, float, float]]:
    """Split the plan into rectangles (x0, y0, x1, y1) no side of which falls much below ``smallest`` metres."""
    rng, done = plan.rng, []
    reach = plan.reach
    open_ = [(-reach, -reach, reach, reach)]
    while open_:
        x0, y0, x1, y1 = open_.pop()
        wide, high = x1 - x0, y1 - y0
        if max(wide, high) < 2 * smallest or (max(wide, high) < 3.5 * smallest and rng.random() < 0.3):
            done.append((x0, y0, x1, y1))
            continue
        cut = rng.uniform(0.35, 0.65)
        if wide > high:
            middle = x0 + cut * wide
            open_ += [(x0, y0, middle, y1), (middle, y0, x1, y1)]
        else:
            middle = y0 + cut * high
            open_ += [(x0, y0, x1, middle), (x0, middle, x1, y1)]
    return done


def _skewed(plan: Plan, corners: np.ndarray, shear: float) -> np.ndarray:
    return corners + np.stack([shear * corners[:, 1], np.zeros(len(corners))], axis=-1)


def fields(plan: Plan) -> None:
    """Parcels of crops with rows of different directions, tracks, hedges, now and then a farm."""
    rng = plan.rng
    start(plan, ('soil', 'grass', 'gravel'))
    shear, gap = rng.uniform(-0.4, 0.4), rng.uniform(0.5, 4)
    direction = rng.uniform(0, np.pi)
    species = plan.palette_of('leaf', 2)
    hedges = rng.random() * 0.5
    for x0, y0, x1, y1 in parcels(plan, plan.extent * rng.uniform(0.13, 0.28)):
        family = str(rng.choice(('crop', 'crop', 'crop', 'grass', 'soil')))
        turn = direction + rng.choice((0, np.pi / 2)) + rng.normal(0, 0.05)
        rows = (rng.uniform(0.02, 0.2), turn, rng.uniform(2.5, 8))
        outline = _skewed(plan, rectangle(x0 + gap / 2, y0 + gap / 2, x1 - gap / 2, y1 - gap / 2), shear)
        plan.area(COVERS[family], outline, plan.material(family, rows=rows))
        if rng.random() < hedges:
            points, _ = along(outline[:2] if rng.random() < 0.5 else outline[1:3], rng.uniform(4, 9))
            trees(plan, points + rng.normal(0, 0.8, points.shape), rng.uniform(1.5, 3), species)
    if rng.random() < 0.4:
        road(
            plan,
            curve(plan, 0.1 * plan.extent, rng.uniform(-0.3, 0.3) * plan.extent),
            rng.uniform(3, 6),
            'gravel',
            False,
        )
    if rng.random() < 0.3:
        corner = scatter(plan, 1, 0.4 * plan.extent)
        buildings(plan, corner + rng.normal(0, 15, (int(rng.integers(1, 5)), 2)))
    woods(plan, rng.uniform(0, 0.5))


def orchard(plan: Plan) -> None:
    """Parcels planted with trees in rows."""
    rng = plan.rng
    start(plan, ('grass', 'soil', 'crop'))
    gap, shear = rng.uniform(3, 9), 0.0
    species = plan.palette_of('leaf', 1)
    radius = rng.uniform(1.4, 2.8)
    for x0, y0, x1, y1 in parcels(plan, plan.extent * rng.uniform(0.3, 0.5)):
        bounds = (x0 + gap / 2, y0 + gap / 2, x1 - gap / 2, y1 - gap / 2)
        family = str(rng.choice(('grass', 'soil', 'crop')))
        plan.area(COVERS[family], _skewed(plan, rectangle(*bounds), shear), plan.material(family))
        if rng.random() < 0.12:
            continue
        across, between = radius * rng.uniform(2.4, 3.6), radius * rng.uniform(1.9, 2.6)
        dx, dy = (across, between) if rng.random() < 0.5 else (between, across)
        places = lattice(plan, dx, dy, 0.05, bounds)
        trees(plan, places[rng.random(len(places)) < rng.uniform(0.85, 1)], radius, species)
    if rng.random() < 0.3:
        buildings(plan, scatter(plan, int(rng.integers(1, 4))))
    woods(plan, rng.uniform(0, 0.3))


def forest(plan: Plan) -> None:
    """Closed canopy of mixed trees, sometimes with a clearing or a track."""
    rng = plan.rng
    start(plan, ('grass', 'soil'))
    radius = rng.uniform(2.6, 5.0)
    places = lattice(plan, 1.5 * radius, 1.5 * radius, 0.5)
    if rng.random() < 0.5:
        line = curve(plan, 0.25 * plan.extent, rng.uniform(-0.4, 0.4) * plan.extent)
        road(plan, line, rng.uniform(3, 7), str(rng.choice(('soil', 'gravel', 'asphalt'))), False)
        distance = np.abs(places[:, None] - line[None]).sum(axis=-1).min(axis=1)
        places = places[distance > 5 + radius]
    for _ in range(int(rng.integers(0, 3))):
        middle, size = scatter(plan, 1)[0], plan.extent * rng.uniform(0.05, 0.22)
        places = places[np.linalg.norm((places - middle) * [1, rng.uniform(1, 2)], axis=1) > size]
    keep = rng.random(len(places)) < rng.uniform(0.8, 1)
    places = rng.permutation(places[keep])
    trees(plan, places, radius * rng.uniform(0.7, 1.2, len(places)), plan.palette_of('leaf', 4))


def solar_farm(plan: Plan) -> None:
    """Blocks of panel rows on open ground, with service tracks."""
    rng = plan.rng
    surround(plan, 0.4, 0.2)
    pitch, width = rng.uniform(4.5, 9), rng.uniform(2.2, 4.0)
    base = plan.material(str(rng.choice(('grass', 'soil', 'gravel'))))
    for x0, y0, x1, y1 in parcels(plan, plan.extent * rng.uniform(0.2, 0.4)):
        if rng.random() < 0.15:
            continue
        bounds = (x0 + 2, y0 + 2, x1 - 2, y1 - 2)
        plan.area('background', rectangle(*bounds), base)
        module = rng.uniform(10, 30)
        panels(plan, lattice(plan, module + 1, pitch, 0.0, bounds), 0.0, module, min(width, 0.7 * pitch))
    if rng.random() < 0.6:
        road(plan, curve(plan, 0.0, rng.uniform(-0.3, 0.3) * plan.extent), 4.0, 'gravel', False)


def lake(plan: Plan) -> None:
    """A lake or ponds with a shore."""
    rng = plan.rng
    surround(plan, 1.5, 0.4)
    water, shore = plan.material('water'), plan.material(str(rng.choice(('sand', 'soil', 'grass'))))
    outlines = []
    for number in range(int(rng.integers(1, 4))):
        radius = plan.extent * (rng.uniform(0.22, 0.42) if number == 0 else rng.uniform(0.05, 0.15))
        centre = scatter(plan, 1, (0.15 if number == 0 else 0.5) * plan.extent)[0]
        outlines.append(blob(plan, tuple(centre), radius, 0.3))
    middles = [outline.mean(axis=0) for outline in outlines]
    # All shores before all water, so that ponds that meet are one water.
    for outline, middle in zip(outlines, middles, strict=True):
        plan.area('background', middle + (outline - middle) * rng.uniform(1.03, 1.12), shore)
    for outline in outlines:
        plan.area('water', outline, water)
    for outline, middle in zip(outlines, middles, strict=True):
        edge, _ = along(np.concatenate([outline, outline[:1]]), rng.uniform(5, 14))
        edge = middle + (edge - middle) * rng.uniform(1.1, 1.25, (len(edge), 1))
        trees(plan, edge[rng.random(len(edge)) < rng.random()], rng.uniform(2, 4))


def river(plan: Plan) -> None:
    """A winding river with banks, sandbars and sometimes a bridge."""
    rng = plan.rng
    surround(plan, 1.5, 0.4)
    line = curve(plan, plan.extent * rng.uniform(0.15, 0.5))
    width = plan.extent * rng.uniform(0.08, 0.24)
    swing = 1 + 0.25 * np.sin(np.linspace(0, rng.uniform(6, 14), len(line)) + rng.uniform(0, 6))
    bank = plan.material(str(rng.choice(('sand', 'soil', 'grass', 'gravel'))))
    plan.area('background', band(line, width * (swing + rng.uniform(0.1, 0.5))), bank)
    plan.area('water', band(line, width * swing), plan.material('water'))
    for _ in range(int(rng.integers(0, 3))):
        spot = line[int(rng.integers(8, len(line) - 8))] + rng.normal(0, 0.2 * width, 2)
        plan.area('background', blob(plan, tuple(spot), width * rng.uniform(0.15, 0.3), 0.2, 20), bank)
    for side in (-1, 1):
        points, _ = along(line, rng.uniform(4, 10))
        normal = np.array([0, side * width * rng.uniform(0.75, 0.95)])
        points = points + normal + rng.normal(0, 2.5, points.shape)
        trees(plan, points[rng.random(len(points)) < rng.random()], rng.uniform(2, 4))
    if rng.random() < 0.3:
        place = rng.uniform(-0.3, 0.3) * plan.extent
        crossing = curve(plan, 0.0, place)[:, ::-1]
        road(plan, crossing, rng.uniform(6, 12), 'concrete', traffic=1.0, height=4.0)


def beach(plan: Plan) -> None:
    """A shore line: sea, surf, wet sand, dry sand, then whatever lies behind."""
    rng = plan.rng
    surround(plan, 1.2, 0.6)
    shore = curve(plan, 0.2 * plan.extent, rng.uniform(-0.25, 0.25) * plan.extent, 60)
    far = np.array([[2 * plan.reach, 4 * plan.reach], [-2 * plan.reach, 4 * plan.reach]])
    dry = plan.extent * rng.uniform(0.1, 0.35)

    def seawards(offset: float, rough: float = 0.0) -> np.ndarray:
        noise = rng.normal(0, rough, len(shore)) if rough else 0.0
        return np.concatenate([shore + np.stack([0 * shore[:, 0], offset + noise + 0 * shore[:, 0]], -1), far])

    plan.area('background', seawards(-dry, 0.06 * dry), plan.material('sand'))
    plan.area('background', seawards(-0.12 * dry), plan.material('sand', 0.0))
    plan.area('water', seawards(0.0), plan.material('water', 0.9))
    plan.area('water', seawards(0.25 * dry, 0.03 * dry), plan.material('water'))
    foam = plan.material('foam')
    for number in range(int(rng.integers(1, 4))):
        offset = number * plan.extent * rng.uniform(0.05, 0.1)
        line = shore + np.stack([0 * shore[:, 0], offset + rng.normal(0, 0.008 * plan.extent, len(shore))], -1)
        plan.area('water', band(line, plan.extent * rng.uniform(0.004, 0.02, len(line))), foam)
