"""Layouts of traffic: harbour, airport, motorway, crossroads, railway."""

import numpy as np

from ..ground import along, band, buildings, curve, dashes, lattice, rectangle, road, scatter, shifted, surround
from ..objects import RECTANGLE, cars, houses, place, planes, ring, ships, trains, trees
from ..plan import Plan


def harbour(plan: Plan) -> None:
    """A quay with piers and moored boats, or a large ship alongside; halls and cars ashore."""
    rng = plan.rng
    surround(plan, 0.5, 0.5)
    edge, far = rng.uniform(-0.35, 0.05) * plan.extent, 2 * plan.reach
    apron = rng.uniform(10, 30)
    quay = plan.material(str(rng.choice(('concrete', 'asphalt', 'gravel'))))
    plan.area('road', rectangle(-far, edge - apron, far, edge), quay, 2.0)
    plan.area('water', rectangle(-far, edge, far, far), plan.material('water'))
    wood = plan.material(str(rng.choice(('concrete', 'soil'))))
    size = rng.uniform(7, 20)
    gap = 2 * size + rng.uniform(8, 16)
    reach = plan.extent * rng.uniform(0.3, 1.0)
    taken = rng.uniform(0.4, 0.95)
    for x in np.arange(-plan.reach + rng.uniform(0, gap), plan.reach, gap):
        if rng.random() < 0.12:
            continue
        plan.area('road', rectangle(x - 1.3, edge, x + 1.3, edge + reach), wood, 1.5)
        berth = size * 0.34 + 1.0
        ys = np.arange(edge + 1.5 * berth, edge + reach, berth)
        for side in (-1, 1):
            full = rng.random(len(ys)) < taken
            length = size * rng.uniform(0.6, 1.0, len(ys))
            centres = np.stack([x + side * (1.8 + length / 2), ys], axis=-1)
            turn = np.where(rng.random(len(ys)) < 0.7, 0.0, np.pi) + (0 if side > 0 else np.pi)
            ships(plan, centres[full], turn[full], length[full])
    if rng.random() < 0.5:
        centres = np.stack([rng.uniform(-1, 1, 2) * plan.reach, edge + reach + rng.uniform(15, 60, 2)], -1)
        ships(plan, centres, rng.uniform(0, 2 * np.pi, 2), rng.uniform(8, 40, 2))
    ashore = np.arange(-plan.reach, plan.reach, rng.uniform(3, 9))
    parked = np.stack([ashore, np.full(len(ashore), edge - 0.4 * apron)], axis=-1)
    cars(plan, parked[rng.random(len(ashore)) < 0.5], np.pi / 2)
    halls = np.stack(
        [
            np.arange(-plan.reach, plan.reach, 45.0),
            np.full(len(np.arange(-plan.reach, plan.reach, 45.0)), edge - apron - 16),
        ],
        -1,
    )
    halls = halls[rng.random(len(halls)) < 0.7]
    houses(plan, halls, 0.0, rng.uniform(18, 38, len(halls)), rng.uniform(10, 20, len(halls)), 0.4)


def airport(plan: Plan) -> None:
    """A runway with its markings, a taxiway, an apron with planes."""
    rng = plan.rng
    surround(plan, 0.2, 0.2)
    far, width = 1.3 * plan.reach, rng.uniform(28, 48)
    offset = rng.uniform(-0.25, 0.05) * plan.extent
    line = np.array([[-far, offset], [far, offset]])
    surface = plan.material(str(rng.choice(('asphalt', 'concrete'))))
    paint = plan.material('paint', 0.7)
    runway = plan.area('road', band(line, width), surface)
    dashes(plan, line, runway, paint, 1.2, 18.0, 14.0)
    for side in (-1, 1):
        edge = shifted(line, side * width * 0.46)
        plan.paint(band(edge, max(0.9, 0.5 * plan.gsd))[None], runway, paint)
    if rng.random() < 0.6:
        start = rng.uniform(-0.4, 0.4) * plan.extent
        bars = np.stack([np.full(8, start), offset + np.linspace(-0.38, 0.38, 8) * width], axis=-1)
        plan.paint(place(RECTANGLE, bars, np.zeros(8), np.tile([25.0, 1.8], (8, 1))), runway, paint)
    apron = offset + width / 2 + rng.uniform(18, 35)
    ground = plan.material(str(rng.choice(('concrete', 'asphalt'))))
    plan.area('road', rectangle(-far, apron, far, apron + 16), ground)
    for x in rng.uniform(-plan.reach, plan.reach, 2):
        plan.area('road', band(np.array([[x, offset], [x + rng.uniform(-30, 30), apron + 4]]), 16), ground)
    plan.area('road', rectangle(-far, apron + 14, far, apron + rng.uniform(60, 110)), plan.material('concrete'))
    size = rng.uniform(22, 42)
    xs = np.arange(-plan.reach, plan.reach, 1.3 * size) + rng.uniform(0, size)
    gates = np.stack([xs, np.full(len(xs), apron + 22 + size / 2)], axis=-1)
    taken = rng.random(len(xs)) < rng.uniform(0.5, 0.95)
    taken[np.argmin(np.abs(xs))] = True
    turn = np.pi / 2 + rng.normal(0, 0.1) + np.pi * (rng.random() < 0.4)
    planes(plan, gates[taken], turn, size * rng.uniform(0.75, 1.05, int(taken.sum())))
    if rng.random() < 0.5:
        planes(plan, np.array([[rng.uniform(-0.4, 0.4) * plan.extent, offset]]), rng.choice((0, np.pi)), size)
    terminal = np.array([[rng.uniform(-0.2, 0.2) * plan.extent, apron + 40 + 1.4 * size]])
    houses(plan, terminal, 0.0, plan.extent * rng.uniform(0.4, 0.9), 28.0, 0.9, height=12.0)
    carts = scatter(plan, 12) * [1, 0] + [0, apron + 20]
    cars(plan, carts, rng.uniform(0, np.pi, len(carts)), 6.0, 2.4)


def _carriageways(plan: Plan, line: np.ndarray, lanes: int, traffic: float, height: float) -> None:
    """A divided road along a line."""
    rng = plan.rng
    width = lanes * 3.7 + 2.5
    surface = plan.material(str(rng.choice(('asphalt', 'concrete'))))
    paint = plan.material('paint', 0.8)
    if height:
        plan.area('road', band(line, 2 * width + 6), plan.material('concrete'), height)
    for side in (-1, 1):
        middle = shifted(line, side * (width / 2 + 1.5))
        owner = plan.area('road', band(middle, width), surface, height)
        for lane in range(1, lanes):
            dashes(plan, shifted(middle, (lane - lanes / 2) * 3.7), owner, paint, 0.25, 6, 8)
        for rim in (-1, 1):
            plan.paint(
                band(shifted(middle, rim * (width / 2 - 0.8)), max(0.3, 0.4 * plan.gsd))[None],
                owner,
                paint,
                height,
                convex=False,
            )
        for lane in range(lanes):
            points, directions = along(shifted(middle, (lane + 0.5 - lanes / 2) * 3.7), 15, rng.uniform(0, 15))
            taken = rng.random(len(points)) < traffic
            lorries = taken & (rng.random(len(points)) < 0.15)
            cars(plan, points[taken & ~lorries], directions[taken & ~lorries])
            cars(plan, points[lorries], directions[lorries], 13.0, 2.6)


def motorway(plan: Plan) -> None:
    """A divided road, often crossed by a bridge, with ramps."""
    rng = plan.rng
    surround(plan, 1.2, 0.4)
    lanes, traffic = int(rng.integers(2, 5)), rng.uniform(0.1, 0.5)
    line = curve(plan, plan.extent * rng.uniform(0, 0.07), 0.0)
    verge = plan.material('grass')
    plan.area('low_vegetation', band(line, lanes * 7.4 + rng.uniform(15, 40)), verge)
    radius = plan.extent * rng.uniform(0.13, 0.24)
    crossed = rng.random() < 0.6
    if crossed:
        for sx, sy in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            if rng.random() < 0.6:
                loop = ring(30, radius) + np.array([sx, sy]) * (radius + 6)
                plan.area('road', band(np.concatenate([loop, loop[:2]]), 7.0), plan.material('asphalt'))
    _carriageways(plan, line, lanes, traffic, 0.0)
    if crossed:
        over = curve(plan, 0.05 * plan.extent, 0.0)[:, ::-1]
        if rng.random() < 0.6:
            _carriageways(plan, over, int(rng.integers(1, 4)), traffic, 6.0)
        else:
            road(plan, over, rng.uniform(7, 11), traffic=1.5, height=6.0)


def crossroads(plan: Plan) -> None:
    """Two streets that cross, with zebra crossings, and buildings at the corners."""
    rng = plan.rng
    surround(plan, 0.6, 0.0)
    widths, far = rng.uniform(8, 18, 2), 1.3 * plan.reach
    skew = rng.normal(0, 0.15)
    lines = (
        np.array([[-far, 0.0], [far, 0.0]]),
        np.array([[-far * np.sin(skew), -far * np.cos(skew)], [far * np.sin(skew), far * np.cos(skew)]]),
    )
    pavement, surface = plan.material('concrete'), plan.material('asphalt')
    paint = plan.material('paint', 0.8)
    for line, width in zip(lines, widths, strict=True):
        plan.area('road', band(line, width + rng.uniform(3, 7)), pavement)
    owners = [plan.area('road', band(line, width), surface) for line, width in zip(lines, widths, strict=True)]
    for number, (line, width) in enumerate(zip(lines, widths, strict=True)):
        direction = np.arctan2(*(line[1] - line[0])[::-1])
        ahead, aside = (
            np.array([np.cos(direction), np.sin(direction)]),
            np.array([-np.sin(direction), np.cos(direction)]),
        )
        near = widths[1 - number] / 2 + 4
        for sign in (-1, 1):
            bars = sign * near * ahead + np.arange(-width / 2 + 0.8, width / 2, 1.3)[:, None] * aside
            plan.paint(
                place(RECTANGLE, bars, np.full(len(bars), direction), np.tile([3.0, 0.65], (len(bars), 1))),
                owners[number],
                paint,
            )
            arm = np.stack([sign * (near + 3) * ahead, sign * far * ahead])
            for shift in (-0.25, 0.0, 0.25):
                dashes(plan, shifted(arm, shift * width), owners[number], paint, 0.2, 3.0, 4.5 if shift else 0.0)
            for lane in (-0.37, -0.13, 0.13, 0.37):
                points, turns = along(shifted(arm, lane * width), 7.5, 3.0)
                queue = rng.random(len(points)) < (0.55 if lane * sign < 0 else 0.25)
                cars(plan, points[queue], turns[queue])
    built = rng.uniform(0.5, 0.95)
    for sx in (-1, 1):
        for sy in (-1, 1):
            x0, y0 = widths[1] / 2 + rng.uniform(6, 12), widths[0] / 2 + rng.uniform(6, 12)
            cells = lattice(plan, rng.uniform(16, 34), rng.uniform(16, 30), 0.05, (x0, y0, plan.reach, plan.reach)) * [
                sx,
                sy,
            ]
            cells = cells[rng.random(len(cells)) < built]
            houses(plan, cells, 0.0, rng.uniform(12, 24, len(cells)), rng.uniform(10, 18, len(cells)), 0.6, height=8.0)
            trees(plan, np.array([sx, sy]) * rng.uniform(8, plan.reach, (int(rng.integers(0, 10)), 2)), 2.2)


def railway(plan: Plan) -> None:
    """Parallel tracks on ballast with trains; platforms or sheds beside them."""
    rng = plan.rng
    surround(plan, 0.9, 0.3)
    tracks, spacing = int(rng.integers(2, 10)), rng.uniform(4.5, 6.0)
    line = curve(plan, plan.extent * rng.uniform(0, 0.05), rng.uniform(-0.2, 0.2) * plan.extent)
    plan.area('railway', band(line, tracks * spacing + 4), plan.material('gravel'))
    steel, sleeper = plan.material('steel'), plan.material(str(rng.choice(('concrete', 'soil'))), 0.3)
    occupied = rng.uniform(0.1, 0.6)
    for number in range(tracks):
        track = shifted(line, (number - (tracks - 1) / 2) * spacing)
        owner = plan.area('railway', band(track, 2.5), sleeper)
        for rail in (-0.72, 0.72):
            plan.paint(band(shifted(track, rail), max(0.18, 0.3 * plan.gsd))[None], owner, steel, convex=False)
        if rng.random() < occupied:
            points, directions = along(track, 23.0, rng.uniform(0, 23))
            first = int(rng.integers(0, max(1, len(points) - 3)))
            keep = slice(first, first + int(rng.integers(3, 14)))
            trains(plan, points[keep], directions[keep])
    beside = tracks * spacing / 2 + 8
    if rng.random() < 0.4:
        platform = shifted(line, beside)
        plan.area('road', band(platform[12:28], 8.0), plan.material('concrete'), 3.5)
    if rng.random() < 0.5:
        points, directions = along(shifted(line, -beside - 10), rng.uniform(30, 60))
        houses(plan, points, directions, rng.uniform(18, 35, len(points)), 12.0, 0.4)
    else:
        road(plan, shifted(line, -beside - 4), 6.5, traffic=1.0)
    if rng.random() < 0.3:
        buildings(plan, scatter(plan, 4) + np.array([0, 2.2 * beside]))
