"""One function a scene class, which fills a plan."""

from collections.abc import Callable
from dataclasses import dataclass

from ..plan import Plan
from .country import beach, fields, forest, lake, orchard, river, solar_farm
from .town import (
    car_park,
    dense_residential,
    industrial,
    sparse_residential,
    sports_ground,
    storage_tanks,
)
from .transport import airport, crossroads, harbour, motorway, railway


@dataclass(frozen=True)
class Layout:
    """How a scene class is laid out.

    Args:
        fill: Fills a plan.
        extent: Smallest and largest side of a scene of 128 pixels, in metres.
    """

    fill: Callable[[Plan], None]
    extent: tuple[float, float]


LAYOUTS = {
    'airport': Layout(airport, (150, 300)),
    'beach': Layout(beach, (90, 260)),
    'car_park': Layout(car_park, (45, 100)),
    'crossroads': Layout(crossroads, (60, 130)),
    'dense_residential': Layout(dense_residential, (70, 150)),
    'fields': Layout(fields, (120, 320)),
    'forest': Layout(forest, (70, 180)),
    'harbour': Layout(harbour, (70, 180)),
    'industrial': Layout(industrial, (120, 260)),
    'lake': Layout(lake, (90, 280)),
    'motorway': Layout(motorway, (90, 240)),
    'orchard': Layout(orchard, (60, 140)),
    'railway': Layout(railway, (60, 150)),
    'river': Layout(river, (90, 280)),
    'solar_farm': Layout(solar_farm, (70, 180)),
    'sparse_residential': Layout(sparse_residential, (110, 220)),
    'sports_ground': Layout(sports_ground, (70, 170)),
    'storage_tanks': Layout(storage_tanks, (80, 220)),
}

__all__ = ['LAYOUTS', 'Layout']
