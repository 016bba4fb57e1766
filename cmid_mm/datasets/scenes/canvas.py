"""From polygons to a photograph: texture by filtered noise, relief, cast shadows, air and sensor."""

import cv2
import numpy as np

from .palette import Light, Palette
from .plan import Plan, Tables


def noise_field(rng: np.random.Generator, side: int, cells: float) -> np.ndarray:
    """Smooth noise (side, side) of unit variance with about ``cells`` grains along a side."""
    count = int(np.clip(round(cells), 2, side))
    field = rng.standard_normal((count + 2, count + 2), dtype=np.float32)
    if count < side:
        field = cv2.resize(field, (side, side), interpolation=cv2.INTER_CUBIC)
    return field[:side, :side]


class Texture:
    """The noise of a place; both dates share it, as both see the same ground."""

    def __init__(self, rng: np.random.Generator, plan: Plan) -> None:
        side = plan.size * plan.supersample
        self.fields = tuple(
            noise_field(rng, side, cells) for cells in (side / 2.0, plan.extent / 3.0, plan.extent / 30.0)
        )
        step = plan.gsd / plan.supersample
        self.metres = (np.arange(side, dtype=np.float32) - side / 2) * step

    def of(self, raster: np.ndarray, plan: Plan, tables: Tables) -> np.ndarray:
        """Factor on the colour at every sub-pixel, (side, side) float32."""
        grain = np.array([m.grain for m in plan.materials], dtype=np.float32)[tables.material]
        factor = (tables.tint.astype(np.float32))[raster]
        for field, strength in zip(self.fields, grain.T, strict=True):
            factor += field * np.ascontiguousarray(strength)[raster]
        stripe = np.array([m.stripe for m in plan.materials], dtype=np.float32)[tables.material]
        if stripe[:, 0].any():
            wave = 2 * np.pi / stripe[:, 2]
            across = (wave * np.cos(stripe[:, 1]))[raster] * self.metres[None, :]
            across += (wave * np.sin(stripe[:, 1]))[raster] * self.metres[:, None]
            factor += np.ascontiguousarray(stripe[:, 0])[raster] * np.sin(across)
        return factor


def _shifted_above(height: np.ndarray, dx: int, dy: int, rise: float) -> np.ndarray:
    """Where the surface ``(dx, dy)`` away stands more than ``rise`` above this one."""
    side = len(height)
    above = np.zeros(height.shape, dtype=bool)
    rows = slice(max(0, -dy), side - max(0, dy))
    columns = slice(max(0, -dx), side - max(0, dx))
    there = height[
        max(0, dy) : side - max(0, -dy),
        max(0, dx) : side - max(0, -dx),
    ]
    np.greater(there - rise, height[rows, columns], out=above[rows, columns])
    return above


def cast_shadows(height: np.ndarray, light: Light, step: float) -> np.ndarray:
    """Shadow of a height map.

    Args:
        height: (side, side) metres.
        light: Gives the sun.
        step: Metres a sub-pixel.

    Returns:
        (side, side) float32, 1 in full shadow.
    """
    rise = step * np.tan(light.elevation)
    longest = min(height.max() / rise, 0.2 * len(height))
    stride = max(1.0, longest / 14)
    shadow = np.zeros(height.shape, dtype=bool)
    for number in range(1, int(longest / stride) + 1):
        reach = number * stride
        dx, dy = np.rint(reach * light.towards).astype(int).tolist()
        # Looking towards the sun, something that stands above the ray hides it.
        shadow |= _shifted_above(height, dx, dy, reach * rise)
    return cv2.blur(shadow.astype(np.float32), (3, 3))


def shade(height: np.ndarray, facing: np.ndarray, light: Light, step: float) -> np.ndarray:
    """Factor by which a surface that faces the sun is brighter, (side, side) float32.

    Args:
        height: (side, side) metres; its edges and domes catch light.
        facing: (side, side) how steeply roofs lean towards the sun.
        light: Gives the sun.
        step: Metres a sub-pixel.
    """
    soft = cv2.blur(height, (3, 3))
    towards = light.towards
    gradient = cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=towards[0] / (8 * step))
    gradient += cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=towards[1] / (8 * step))
    relief = 0.22 * np.clip(-gradient, -1.3, 1.3)
    return 1 + relief + facing


def photograph(
    plan: Plan,
    raster: np.ndarray,
    texture: Texture,
    palette: Palette,
    light: Light,
    rng: np.random.Generator,
) -> np.ndarray:
    """Picture (size, size, 3) uint8 RGB of a raster from :meth:`Plan.raster`.

    Args:
        plan: The place.
        raster: Polygon on top of each sub-pixel.
        texture: Noise of the place.
        palette: Colours of the date.
        light: Light of the date.
        rng: Generator of the sensor's noise.
    """
    tables, step = plan.tables(), plan.gsd / plan.supersample
    colours = np.array([palette.colour(m) for m in plan.materials], dtype=np.float32)
    height = tables.height.astype(np.float32)[raster]
    facing = (tables.slope @ light.towards).astype(np.float32)[raster]
    factor = texture.of(raster, plan, tables)
    factor *= shade(height, facing, light, step)
    factor *= 1 - (1 - light.sky) * cast_shadows(height, light, step)
    factor = np.maximum(factor, 0.05)
    # OpenCV, since numpy is slow where the last axis is as short as three channels.
    picture = cv2.multiply(np.take(colours[tables.material], raster, axis=0), cv2.merge([factor] * 3))
    return expose(cv2.resize(picture, (plan.size, plan.size), interpolation=cv2.INTER_AREA), light, rng)


def expose(radiance: np.ndarray, light: Light, rng: np.random.Generator) -> np.ndarray:
    """Air, optics and sensor: radiance (size, size, 3) float32 to uint8 RGB."""
    # Saturation, haze and gain are linear in the colour: one matrix (3, 4).
    mix = light.saturation * np.eye(3) + (1 - light.saturation) / 3
    matrix = light.gain[:, None] * np.column_stack([(1 - light.haze) * mix, light.haze * light.air])
    picture = cv2.transform(cv2.GaussianBlur(radiance, (5, 5), light.blur), matrix.astype(np.float32))
    picture = cv2.pow(np.clip(picture, 0, 1), light.gamma)
    picture += light.noise * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
