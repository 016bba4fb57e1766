"""The plan of a place: polygons in metres, painted in order, each part of an object that may exist at one date only."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .palette import Material

# Classes of the segmentation mask, in the order of their values.
MASK_CLASSES = (
    'background',
    'low_vegetation',
    'tree',
    'farmland',
    'water',
    'road',
    'building',
    'car',
    'ship',
    'plane',
    'storage_tank',
    'court',
    'solar_panel',
    'railway',
    'train',
)
# Classes that have oriented boxes.
BOX_CLASSES = ('building', 'car', 'ship', 'plane', 'storage_tank', 'court', 'train')
FIRST, SECOND, BOTH = 1, 2, 3

_SHIFT = 4  # fixed-point bits that OpenCV's polygon filling takes
_GRAIN = {
    'soil': (0.05, 0.07, 0.12),
    'sand': (0.03, 0.04, 0.06),
    'water': (0.02, 0.05, 0.10),
    'foam': (0.10, 0.15, 0.05),
    'asphalt': (0.03, 0.04, 0.06),
    'concrete': (0.03, 0.05, 0.07),
    'gravel': (0.08, 0.07, 0.08),
    'roof': (0.03, 0.05, 0.03),
    'leaf': (0.12, 0.10, 0.08),
    'grass': (0.06, 0.09, 0.15),
    'crop': (0.06, 0.08, 0.10),
}
_PLAIN = (0.02, 0.02, 0.02)


@dataclass
class _Batch:
    points: np.ndarray  # (n, k, 2) int32, fixed point, supersampled pixels
    start: int  # number of the first polygon
    convex: bool


@dataclass(frozen=True)
class Tables:
    """Attributes of every polygon of a plan, one row a polygon; row 0 is the bare ground."""

    material: np.ndarray  # (n,) index into Plan.materials
    height: np.ndarray  # (n,) metres
    slope: np.ndarray  # (n, 2) tilt in the image: where the surface faces, 0 flat
    tint: np.ndarray  # (n,) factor on the colour
    owner: np.ndarray  # (n,) object number


class Plan:
    """A place of ``extent`` metres a side, seen at a random angle, on ``size`` pixels.

    Coordinates are metres with the origin near the image's centre; everything within ``reach`` of it may be seen.

    Args:
        rng: Generator of the place.
        extent: Metres that the image's side covers.
        size: Pixels of the image's side.
        supersample: Sub-pixels a pixel, on each axis.
    """

    def __init__(self, rng: np.random.Generator, extent: float, size: int, supersample: int = 2) -> None:
        self.rng, self.extent, self.size, self.supersample = rng, extent, size, supersample
        self.angle = float(rng.uniform(0, 2 * np.pi))
        self.reach = extent * 0.72
        self.gsd = extent / size
        self.materials: list[Material] = []
        self._batches: list[_Batch] = []
        self._columns: dict[str, list[np.ndarray]] = {
            name: [] for name in ('material', 'height', 'slope', 'tint', 'owner')
        }
        self._polygons = 0
        self._classes: list[int] = []
        self._presence: list[int] = []
        self._centres: list[tuple[float, float]] = []
        self._boxes: dict[int, np.ndarray] = {}

    # -- materials and objects -------------------------------------------------------------------------------------

    def material(self, family: str, pick: float | None = None, rows: tuple[float, float, float] | None = None) -> int:
        """Add a material and return its number.

        Args:
            family: Key of ``palette.FAMILIES``.
            pick: Place on the family's line of colours, 0-1; drawn if None.
            rows: Strength, direction (radians, in the plan) and period (metres) of stripes.
        """
        rng = self.rng
        scale = float(rng.uniform(0.5, 1.6))
        grain = tuple(scale * value for value in _GRAIN.get(family, _PLAIN))
        stripe = (0.0, 0.0, 1.0) if rows is None else (rows[0], rows[1] + self.angle, rows[2])
        pick = float(rng.random()) if pick is None else pick
        jitter = tuple(rng.normal(0.0, 0.008, 3) + rng.normal(0.0, 0.02))
        self.materials.append(Material(family, pick, jitter, grain, stripe))
        return len(self.materials) - 1

    def palette_of(self, family: str, count: int) -> np.ndarray:
        """Add ``count`` materials of a family and return their numbers."""
        return np.array([self.material(family) for _ in range(count)])

    def objects(self, label: str, centres: np.ndarray, presence: int = BOTH) -> np.ndarray:
        """Register objects of a mask class at ``centres`` (n, 2) in metres and return their numbers (n,)."""
        start = len(self._classes)
        self._classes.extend([MASK_CLASSES.index(label)] * len(centres))
        self._presence.extend([presence] * len(centres))
        self._centres.extend(map(tuple, self.to_pixels(centres)))
        return np.arange(start, start + len(centres))

    def boxes(self, owners: np.ndarray, corners: np.ndarray) -> None:
        """Give objects their oriented boxes, corners (n, 4, 2) in metres."""
        self._boxes.update(zip(owners.tolist(), self.to_pixels(corners), strict=True))

    # -- drawing ---------------------------------------------------------------------------------------------------

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Metres (..., 2) of the plan to pixels (..., 2) of the image; a pixel i covers [i, i + 1]."""
        cos, sin = np.cos(self.angle) / self.gsd, np.sin(self.angle) / self.gsd
        points = np.asarray(points, dtype=np.float64)
        x, y = points[..., 0], points[..., 1]
        return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1) + self.size / 2

    def visible(self, points: np.ndarray, margin: float) -> np.ndarray:
        """Which of ``points`` (n, 2) lie in the image or at most ``margin`` metres beside it."""
        pixels, border = self.to_pixels(points), margin / self.gsd
        return ((pixels > -border) & (pixels < self.size + border)).all(axis=-1)

    def paint(
        self,
        polygons: np.ndarray,
        owners: np.ndarray | int,
        material: np.ndarray | int,
        height: np.ndarray | float = 0.0,
        slope: np.ndarray | None = None,
        tint: np.ndarray | float = 1.0,
        convex: bool = True,
    ) -> None:
        """Paint polygons (n, k, 2), in metres, above what is there.

        Args:
            polygons: Corners; polygons of one call have equally many.
            owners: Object that each belongs to.
            material: Number from :meth:`material`.
            height: Metres above the ground, for shadows and edges.
            slope: (n, 2) direction that the surface faces, in the plan, times its steepness.
            tint: Factor on the colour.
            convex: Convex polygons fill faster.
        """
        count = len(polygons)
        if count == 0:
            return
        factor = self.supersample
        pixels = (self.to_pixels(polygons) * factor - 0.5) * (1 << _SHIFT)
        self._batches.append(_Batch(np.rint(pixels).astype(np.int32), self._polygons + 1, convex))
        self._polygons += count
        slope = np.zeros((count, 2)) if slope is None else np.broadcast_to(slope, (count, 2))
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turned = np.stack([slope[:, 0] * cos - slope[:, 1] * sin, slope[:, 0] * sin + slope[:, 1] * cos], axis=-1)
        row = {'material': material, 'height': height, 'tint': tint, 'owner': owners}
        for name, value in row.items():
            self._columns[name].append(np.broadcast_to(np.asarray(value), (count,)))
        self._columns['slope'].append(turned)

    def area(
        self,
        label: str,
        points: np.ndarray,
        material: int,
        height: float = 0.0,
        presence: int = BOTH,
    ) -> int:
        """Paint one polygon (k, 2) of any shape as an object of its own and return its number."""
        points = np.asarray(points, dtype=np.float64)
        owner = self.objects(label, points.mean(axis=0, keepdims=True), presence)
        self.paint(points[None], owner, material, height, convex=False)
        return int(owner[0])

    # -- dates -----------------------------------------------------------------------------------------------------

    def of_class(self, labels: Sequence[str]) -> np.ndarray:
        """Numbers of the objects of these mask classes whose centre lies in the image."""
        wanted = [MASK_CLASSES.index(label) for label in labels]
        centres = np.array(self._centres)
        inside = ((centres > 0) & (centres < self.size)).all(axis=1)
        return np.flatnonzero(np.isin(self._classes, wanted) & inside)

    def within(self, polygon: np.ndarray) -> np.ndarray:
        """Numbers of the objects whose centre lies in ``polygon`` (k, 2), metres, convex."""
        corners = self.to_pixels(polygon)
        sides = np.roll(corners, -1, axis=0) - corners
        towards = np.array(self._centres)[:, None] - corners[None]
        turn = sides[None, :, 0] * towards[..., 1] - sides[None, :, 1] * towards[..., 0]
        return np.flatnonzero((turn > 0).all(axis=1) | (turn < 0).all(axis=1))

    def set_presence(self, owners: np.ndarray, presence: int) -> None:
        """Say at which dates objects exist."""
        for owner in owners.tolist():
            self._presence[owner] = presence

    def presence(self, owners: np.ndarray) -> np.ndarray:
        """Dates (n,) at which objects exist."""
        return np.array(self._presence)[owners]

    def raster(self, date: int) -> np.ndarray:
        """Polygon on top of each sub-pixel, (side, side) int32, at ``FIRST`` or ``SECOND``; 0 is the bare ground."""
        side = self.size * self.supersample
        canvas = np.zeros((side, side), dtype=np.int32)
        owners, presence = self.tables().owner, np.array(self._presence)
        limit = side << _SHIFT
        for batch in self._batches:
            low, high = batch.points.min(axis=1), batch.points.max(axis=1)
            count = len(batch.points)
            there = presence[owners[batch.start : batch.start + count]] & date > 0
            seen = there & (high >= 0).all(axis=1) & (low < limit).all(axis=1)
            for number in np.flatnonzero(seen).tolist():
                points = batch.points[number]
                if batch.convex:
                    cv2.fillConvexPoly(canvas, points, batch.start + number, 8, _SHIFT)
                else:
                    cv2.fillPoly(canvas, [points], batch.start + number, 8, _SHIFT)
        return canvas

    def tables(self) -> Tables:
        """Attributes of all polygons; object 0 and material 0 belong to the bare ground."""
        first = {'material': [0], 'height': [0.0], 'slope': [[0.0, 0.0]], 'tint': [1.0], 'owner': [0]}
        return Tables(**{name: np.concatenate([first[name], *rows]) for name, rows in self._columns.items()})

    def classes(self) -> np.ndarray:
        """Mask class of every object, uint8."""
        return np.array(self._classes, dtype=np.uint8)

    def box_table(self, date: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (n,) and corners (n, 4, 2), in pixels, of the objects with a box that exist at a date."""
        owners = [owner for owner in self._boxes if self._presence[owner] & date]
        corners = [self._boxes[owner] for owner in owners]
        return np.array(owners, dtype=np.int64), np.array(corners).reshape(-1, 4, 2)
