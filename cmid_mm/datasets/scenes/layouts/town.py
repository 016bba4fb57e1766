"""Layouts of built-up land: housing, industry, tanks, car park, sports ground."""

import numpy as np

from ..ground import COVERS, band, curve, lattice, rectangle, road, scatter, start, surround, woods
from ..objects import RECTANGLE, cars, courts, houses, place, ring, tanks, trees
from ..plan import Plan


def sparse_residential(plan: Plan) -> None:
    """A lane with detached houses in large gardens."""
    rng = plan.rng
    start(plan, ('grass', 'grass', 'soil', 'crop'))
    woods(plan, rng.uniform(0.5, 2.5))
    lane = curve(plan, 0.25 * plan.extent, rng.uniform(-0.2, 0.2) * plan.extent)
    drive, pool = plan.material('concrete'), plan.material('water', 0.95)
    spacing = rng.uniform(34, 60)
    roofs = plan.palette_of('roof', 4)
    xs = np.arange(-plan.reach, plan.reach, spacing)
    for side in (-1, 1):
        for row in range(1 if rng.random() < 0.6 else 2):
            x = xs + rng.uniform(-0.25, 0.25, len(xs)) * spacing
            lane_y = np.interp(x, lane[:, 0], lane[:, 1])
            away = rng.uniform(18, 30, len(x)) + 42 * row
            centres = np.stack([x, lane_y + side * away], axis=-1)[rng.random(len(x)) < 0.85]
            count = len(centres)
            front = np.interp(centres[:, 0], lane[:, 0], lane[:, 1])
            middle = np.stack([centres[:, 0], (front + centres[:, 1]) / 2], axis=-1)
            reach = np.stack([np.full(count, 3.0), np.abs(centres[:, 1] - front)], axis=-1)
            owners = plan.objects('road', middle)
            plan.paint(place(RECTANGLE, middle, np.zeros(count), reach), owners, drive)
            turn = rng.normal(0, 0.25, count) + np.pi / 2 * rng.integers(0, 2, count)
            length = rng.uniform(12, 20, count)
            houses(plan, centres, turn, length, length * rng.uniform(0.5, 0.75, count), 0.05, roofs)
            swims = centres[rng.random(count) < 0.2] + [rng.uniform(-5, 5), side * 14]
            owners = plan.objects('water', swims)
            sizes = np.tile([9.0, 4.5], (len(swims), 1))
            plan.paint(place(RECTANGLE, swims, np.zeros(len(swims)), sizes), owners, pool)
            cars(plan, middle[rng.random(count) < 0.4], np.pi / 2)
    road(plan, lane, rng.uniform(4, 7), str(rng.choice(('asphalt', 'gravel', 'soil'))), traffic=0.5)
    trees(plan, scatter(plan, int(rng.integers(5, 60))), rng.uniform(2, 4))


def dense_residential(plan: Plan) -> None:
    """Streets with houses close together."""
    rng = plan.rng
    base = start(plan, ('concrete', 'grass', 'soil', 'grass', 'gravel'))
    block, street = rng.uniform(32, 46), rng.uniform(6, 9)
    plot = rng.uniform(10, 16)
    roofs = plan.palette_of('roof', int(rng.integers(1, 5)))
    species = plan.palette_of('leaf', 2)
    yard = plan.material('concrete' if base == 'grass' else 'grass')
    offset, surface = rng.uniform(0, block), plan.material('asphalt')
    length, width = min(plot * 0.95, 13), rng.uniform(8, 11)
    every = int(rng.integers(5, 9))
    for y in np.arange(-plan.reach - block + offset, plan.reach + block, block):
        line = np.array([[-1.2 * plan.reach, y], [1.2 * plan.reach, y]])
        plan.area('road', band(line, street), surface)
        for side in (-1, 1):
            x = np.arange(-plan.reach, plan.reach, plot) + rng.uniform(-1, 1)
            x = x[(np.arange(len(x)) % every) != 0]
            centres = np.stack([x, np.full(len(x), y + side * (street / 2 + 3 + width / 2))], axis=-1)
            centres += rng.normal(0, 0.7, centres.shape)
            yards = centres[rng.random(len(centres)) < 0.5]
            owners = plan.objects('road' if base == 'grass' else 'low_vegetation', yards)
            sizes = np.tile([0.8 * plot, width + 6], (len(yards), 1))
            plan.paint(place(RECTANGLE, yards, np.zeros(len(yards)), sizes), owners, yard)
            keep = rng.random(len(centres)) < 0.94
            count = int(keep.sum())
            turn = rng.choice((0, np.pi / 2)) + rng.normal(0, 0.04, count)
            scale = rng.uniform(0.85, 1.1, count)
            houses(plan, centres[keep], turn, length * scale, min(width, length) * scale, 0.15, roofs)
            kerb = np.stack([x + plot / 2, np.full(len(x), y + side * (street / 2 - 1.2))], axis=-1)
            cars(plan, kerb[rng.random(len(x)) < 0.45], 0.0)
    for x in np.arange(-plan.reach, plan.reach, plot * every):
        plan.area('road', band(np.array([[x, -1.2 * plan.reach], [x, 1.2 * plan.reach]]), street), surface)
    gardens = lattice(plan, 7, block / 4, 0.5)
    trees(plan, gardens[rng.random(len(gardens)) < rng.uniform(0.05, 0.3)], rng.uniform(1.5, 3), species)


def industrial(plan: Plan) -> None:
    """Large halls on paved lots, lorries, yards."""
    rng = plan.rng
    start(plan, ('concrete', 'asphalt', 'gravel', 'grass', 'soil'))
    roofs = np.concatenate([plan.palette_of('metal', 2), plan.palette_of('roof', 2)])
    dx, dy = rng.uniform(55, 100), rng.uniform(40, 70)
    offset = rng.uniform(-0.5, 0.5, 2) * [dx, dy]
    lots = lattice(plan, dx, dy, 0.04) + offset
    for x, y in lots[plan.visible(lots, 80)]:
        family = str(rng.choice(('concrete', 'asphalt', 'gravel', 'grass')))
        outline = rectangle(x - dx / 2 + 4, y - dy / 2 + 4, x + dx / 2 - 4, y + dy / 2 - 4)
        plan.area(COVERS[family], outline, plan.material(family))
        if rng.random() < 0.1:
            continue
        length, width = dx * rng.uniform(0.5, 0.8), dy * rng.uniform(0.4, 0.7)
        bays = int(rng.integers(1, 4))
        steps = (np.arange(bays) - (bays - 1) / 2) * width / bays
        middle = np.stack([np.full(bays, x), y + steps], axis=-1) + rng.uniform(-4, 4, (1, 2))
        houses(plan, middle, 0.0, length, width / bays, 0.5, rng.choice(roofs, 1), 9.0)
        side = np.stack([np.full(6, x + dx / 2 - 9), y + np.linspace(-0.4, 0.4, 6) * dy], axis=-1)
        cars(plan, side[rng.random(6) < 0.5], 0.0, rng.choice((4.5, 12.0)), rng.choice((1.95, 2.6)))
    for y in np.arange(-plan.reach, plan.reach, 2 * dy):
        line = np.array([[-1.2 * plan.reach, y + offset[1]], [1.2 * plan.reach, y + offset[1]]])
        road(plan, line, 8.0, traffic=1.0)
    woods(plan, rng.uniform(0, 0.6))


def storage_tanks(plan: Plan) -> None:
    """Rows of round tanks within bunds, with pipes and sheds."""
    rng = plan.rng
    surround(plan, 0.5, 0.5)
    spacing = rng.uniform(18, 52)
    reach = plan.extent * rng.uniform(0.3, 0.7)
    yard = plan.material(str(rng.choice(('gravel', 'concrete', 'soil', 'grass'))))
    middle = scatter(plan, 1, 0.12 * plan.extent)[0]
    aspect = rng.uniform(0.6, 1.0)
    bounds = (middle[0] - reach, middle[1] - reach * aspect, middle[0] + reach, middle[1] + reach * aspect)
    plan.area('background', rectangle(*bounds), yard)
    places = lattice(plan, spacing, spacing * rng.uniform(1, 1.25), 0.05, bounds)
    places = places[rng.random(len(places)) < rng.uniform(0.65, 1)]
    radius = spacing * rng.uniform(0.24, 0.42) * rng.choice((0.6, 1.0, 1.0, 1.0), len(places))
    bund = plan.material('soil')
    owners = plan.objects('background', places)
    sizes = np.full((len(places), 2), spacing * 0.96)
    if rng.random() < 0.5:
        plan.paint(place(RECTANGLE, places, np.zeros(len(places)), sizes), owners, bund, 1.2)
        plan.paint(place(RECTANGLE * 0.94, places, np.zeros(len(places)), sizes), owners, yard)
    pipe = plan.material('metal')
    for y in np.unique(np.round(places[:, 1] / spacing)) * spacing + spacing / 2:
        plan.area('background', band(np.array([[bounds[0], y], [bounds[2], y]]), 1.2), pipe, 1.0)
    tanks(plan, places, radius)
    sheds = scatter(plan, int(rng.integers(0, 4)))
    houses(plan, sheds, 0.0, rng.uniform(8, 18, len(sheds)), 8.0, 0.6)


def car_park(plan: Plan) -> None:
    """Rows of stalls, mostly taken, with lines, planted strips and perhaps the shop beside."""
    rng = plan.rng
    surround(plan, 0.6, 0.4)
    lot = plan.extent * rng.uniform(0.36, 0.72)
    aspect = rng.uniform(0.7, 1)
    plan.area(
        'road',
        rectangle(-lot, -lot * aspect, lot, lot * aspect),
        plan.material(str(rng.choice(('asphalt', 'asphalt', 'concrete')))),
    )
    stall, deep, aisle = rng.uniform(2.5, 3.0), 5.2, rng.uniform(6, 7.5)
    line, taken = plan.material('paint'), rng.uniform(0.3, 0.98)
    slant = rng.choice((0.0, 0.0, 0.3))
    planted = rng.random() < 0.4
    for y in np.arange(-lot * aspect + deep, lot * aspect - deep, 2 * deep + aisle):
        xs = np.arange(-lot + 4, lot - 4, stall)
        middle = np.stack([xs, np.full(len(xs), y)], axis=-1)
        owners = plan.objects('road', middle)
        marks = np.tile([max(0.12, 0.3 * plan.gsd), 2 * deep], (len(xs), 1))
        plan.paint(place(RECTANGLE, middle, np.full(len(xs), slant), marks), owners, line)
        if planted:
            points = np.stack([xs[::5], np.full(len(xs[::5]), y)], axis=-1)
            trees(plan, points, rng.uniform(1.2, 2.2))
        for side in (-1, 1):
            spots = np.stack([xs + stall / 2, np.full(len(xs), y + side * deep / 2)], axis=-1)
            full = rng.random(len(xs)) < taken
            full &= np.convolve(rng.random(len(xs)) < 0.06, np.ones(3), 'same') == 0
            turn = side * np.pi / 2 + slant + np.pi * rng.integers(0, 2, len(xs))
            cars(plan, (spots + rng.normal(0, 0.12, spots.shape))[full], turn[full])
    if rng.random() < 0.5:
        centre = np.array([[rng.uniform(-0.3, 0.3) * plan.extent, lot * aspect + 14]])
        houses(plan, centre, 0.0, plan.extent * rng.uniform(0.3, 0.7), 26.0, 0.8, height=8.0)


def sports_ground(plan: Plan) -> None:
    """Tennis courts, a mown pitch, or a running track around one."""
    rng = plan.rng
    surround(plan, 1.0, 0.4)
    kind = rng.choice(('tennis', 'pitch', 'track'))
    if kind == 'tennis':
        columns, rows = int(rng.integers(2, 5)), int(rng.integers(1, 4))
        reach = (columns * 19 / 2, rows * 38 / 2)
        plan.area(
            'background', rectangle(-reach[0] - 2, -reach[1] - 2, reach[0] + 2, reach[1] + 2), plan.material('court')
        )
        courts(plan, lattice(plan, 19, 38, 0.0, (-reach[0], -reach[1], *reach)), np.pi / 2)
        return
    scale = rng.uniform(0.55, 1.0) * min(1.0, plan.extent / 150)
    half, side = 50 * scale, 32 * scale
    paint = plan.material('paint', 0.8)
    if kind == 'track':
        surface = plan.material('court')
        for extra, material in ((12, surface), (3, plan.material('grass'))):
            turns = ring(40, 1.0) * (side + extra * scale)
            oval = turns + np.sign(turns[:, :1]) * [half * 0.85, 0]
            plan.area('background', oval, material)
        for extra in (5, 7.5, 10):
            turns = ring(40, 1.0) * (side + extra * scale)
            oval = turns + np.sign(turns[:, :1]) * [half * 0.85, 0]
            plan.area('background', band(np.concatenate([oval, oval[:2]]), 0.4), paint)
    grass = plan.material('grass', rows=(rng.uniform(0.04, 0.14), 0.0, rng.uniform(9, 14)))
    pitch = plan.area('court', rectangle(-half, -side * 0.95, half, side * 0.95), grass)
    thick = max(0.3, 0.4 * plan.gsd)
    ends = [(-half, -half + 16 * scale), (half - 16 * scale, half)]
    frames = [(-half, -side * 0.95, half, side * 0.95)] + [(a, -side * 0.5, b, side * 0.5) for a, b in ends]
    for x0, y0, x1, y1 in frames:
        corners = rectangle(x0, y0, x1, y1)
        edges = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
        plan.paint(np.stack([band(edge, thick) for edge in edges]), pitch, paint)
    plan.paint(band(np.array([[0, -side * 0.95], [0, side * 0.95]]), thick)[None], pitch, paint)
    circle = ring(24, 9 * scale)
    plan.paint(band(np.concatenate([circle, circle[:2]]), thick)[None], pitch, paint, convex=False)
    plan.boxes(np.array([pitch]), rectangle(-half, -side * 0.95, half, side * 0.95)[None])
    if rng.random() < 0.5:
        houses(plan, np.array([[0.0, side + 22.0]]), 0.0, 1.1 * half, 12.0, 0.6, height=8.0)
