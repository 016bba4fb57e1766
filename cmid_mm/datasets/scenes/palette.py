"""What colour things have: material families, the season's palette and the light of a day.

Colours are deliberately shared between scene classes (a roof may be as grey as a car park, a lake as green
as a field) and every scene draws its own season, cast and haze, so that colour alone does not name a class.
"""

from dataclasses import dataclass

import numpy as np

SEASONS = ('spring', 'summer', 'autumn', 'winter')

# Reference colours of each family, RGB in 0-1. A material lies somewhere on the line through them.
_STEADY = {
    'soil': ((0.30, 0.22, 0.16), (0.45, 0.36, 0.27), (0.55, 0.38, 0.28), (0.60, 0.53, 0.43)),
    'sand': ((0.56, 0.49, 0.37), (0.70, 0.63, 0.50), (0.78, 0.74, 0.66)),
    'water': ((0.08, 0.12, 0.14), (0.10, 0.22, 0.24), (0.20, 0.27, 0.22), (0.33, 0.31, 0.24), (0.18, 0.34, 0.42)),
    'foam': ((0.62, 0.68, 0.68), (0.85, 0.88, 0.88)),
    'asphalt': ((0.22, 0.22, 0.23), (0.34, 0.34, 0.34), (0.46, 0.45, 0.43)),
    'concrete': ((0.45, 0.44, 0.42), (0.60, 0.58, 0.54), (0.70, 0.69, 0.66)),
    'gravel': ((0.36, 0.33, 0.31), (0.47, 0.43, 0.39), (0.58, 0.54, 0.49)),
    'roof': (
        (0.30, 0.20, 0.17),
        (0.52, 0.28, 0.20),
        (0.34, 0.33, 0.33),
        (0.50, 0.44, 0.38),
        (0.72, 0.70, 0.67),
        (0.30, 0.38, 0.42),
    ),
    'metal': ((0.52, 0.53, 0.54), (0.70, 0.70, 0.70), (0.85, 0.85, 0.83)),
    'car': (
        (0.85, 0.85, 0.85),
        (0.12, 0.12, 0.13),
        (0.45, 0.46, 0.48),
        (0.50, 0.12, 0.11),
        (0.15, 0.22, 0.42),
        (0.78, 0.78, 0.76),
    ),
    'glass': ((0.08, 0.09, 0.11), (0.16, 0.19, 0.22)),
    'paint': ((0.72, 0.72, 0.70), (0.85, 0.84, 0.80)),
    'hull': ((0.80, 0.80, 0.79), (0.88, 0.87, 0.85), (0.42, 0.17, 0.14), (0.20, 0.25, 0.33), (0.60, 0.60, 0.60)),
    'panel': ((0.09, 0.11, 0.17), (0.14, 0.18, 0.27), (0.20, 0.21, 0.24)),
    'court': ((0.30, 0.44, 0.32), (0.55, 0.30, 0.22), (0.24, 0.33, 0.48), (0.46, 0.42, 0.38)),
    'steel': ((0.28, 0.24, 0.22), (0.42, 0.40, 0.39)),
}
_SEASONAL = {
    'grass': {
        'spring': ((0.28, 0.40, 0.18), (0.38, 0.46, 0.24)),
        'summer': ((0.27, 0.35, 0.18), (0.47, 0.45, 0.28)),
        'autumn': ((0.36, 0.37, 0.21), (0.50, 0.42, 0.27)),
        'winter': ((0.36, 0.34, 0.24), (0.50, 0.46, 0.35)),
    },
    'leaf': {
        'spring': ((0.17, 0.28, 0.12), (0.28, 0.37, 0.17)),
        'summer': ((0.11, 0.21, 0.10), (0.22, 0.30, 0.15)),
        'autumn': ((0.20, 0.24, 0.12), (0.42, 0.29, 0.14)),
        'winter': ((0.17, 0.19, 0.15), (0.33, 0.28, 0.23)),
    },
    'crop': {
        'spring': ((0.24, 0.38, 0.14), (0.43, 0.36, 0.26), (0.56, 0.55, 0.20)),
        'summer': ((0.22, 0.34, 0.14), (0.63, 0.55, 0.33), (0.48, 0.44, 0.24)),
        'autumn': ((0.36, 0.29, 0.20), (0.55, 0.47, 0.31), (0.33, 0.34, 0.18)),
        'winter': ((0.32, 0.26, 0.20), (0.45, 0.40, 0.32), (0.30, 0.35, 0.20)),
    },
}
FAMILIES = (*_STEADY, *_SEASONAL)


@dataclass(frozen=True)
class Material:
    """One material of one scene; its colour follows from a palette, its texture is its own.

    Args:
        family: Key of :data:`FAMILIES`.
        pick: Where on the family's line of reference colours it lies, 0-1.
        jitter: Its own offset of colour, (3,), RGB.
        grain: Strength of the noise at about one pixel, three metres and thirty metres, relative to the colour.
        stripe: Strength, direction (radians, in the image) and period (metres) of rows.
    """

    family: str
    pick: float
    jitter: tuple[float, float, float]
    grain: tuple[float, float, float]
    stripe: tuple[float, float, float] = (0.0, 0.0, 1.0)


class Palette:
    """Colours of one date: a season and a small drift for every family.

    Args:
        rng: Generator of this date.
        season: One of :data:`SEASONS`; drawn if None.
    """

    def __init__(self, rng: np.random.Generator, season: str | None = None) -> None:
        self.season = season or SEASONS[int(rng.integers(len(SEASONS)))]
        drift = rng.normal(0.0, 0.006, (len(FAMILIES), 3)) + rng.normal(0, 0.02, (len(FAMILIES), 1))
        self.drift = dict(zip(FAMILIES, drift, strict=True))
        self.phase = {family: float(rng.random()) for family in _SEASONAL}

    def colour(self, material: Material) -> np.ndarray:
        """Colour (3,) in 0-1 of a material at this date."""
        if material.family in _SEASONAL:
            line = np.asarray(_SEASONAL[material.family][self.season])
            # What is ploughed and what is green changes with the year, hence the phase of the date.
            pick = (material.pick + self.phase[material.family]) % 1.0
        else:
            line, pick = np.asarray(_STEADY[material.family]), material.pick
        place = pick * (len(line) - 1)
        low = min(int(place), len(line) - 2)
        base = line[low] + (line[low + 1] - line[low]) * (place - low)
        return np.clip(base + self.drift[material.family] + material.jitter, 0.02, 0.98)


@dataclass(frozen=True)
class Light:
    """Sun, air and camera of one date.

    Args:
        azimuth: Direction towards the sun, radians in the image (x right, y down).
        elevation: Height of the sun, radians.
        sky: Share of the light that also reaches shadows.
        haze: Share of the air's colour in what is seen.
        air: Colour of the air, (3,).
        gain: Brightness of each channel, (3,): exposure and colour cast.
        saturation: 1 leaves colours as they are, 0 gives gray.
        gamma: Exponent of the camera's curve.
        blur: Standard deviation of the optics, in pixels of the image.
        noise: Standard deviation of the sensor, in 0-1.
    """

    azimuth: float
    elevation: float
    sky: float
    haze: float
    air: np.ndarray
    gain: np.ndarray
    saturation: float
    gamma: float
    blur: float
    noise: float

    @property
    def towards(self) -> np.ndarray:
        """Unit vector (2,) towards the sun, in the image."""
        return np.array([np.cos(self.azimuth), np.sin(self.azimuth)])


def draw_light(rng: np.random.Generator) -> Light:
    """Draw the light of a date."""
    haze = float(rng.beta(1.2, 4.0) * 0.3)
    cast = np.exp(rng.normal(0.0, 0.02, 3))
    return Light(
        azimuth=float(rng.uniform(0, 2 * np.pi)),
        elevation=float(np.deg2rad(rng.uniform(24, 62))),
        sky=float(rng.uniform(0.28, 0.6)),
        haze=haze,
        air=np.clip(np.array([0.62, 0.66, 0.70]) + rng.normal(0, 0.03, 3), 0, 1),
        gain=cast / cast.mean() * float(np.exp(rng.normal(0.15, 0.06))),
        saturation=float(rng.uniform(0.75, 1.1)),
        gamma=float(np.exp(rng.normal(0.0, 0.05))),
        blur=float(rng.uniform(0.2, 0.9)),
        noise=float(rng.uniform(0.004, 0.03)),
    )
