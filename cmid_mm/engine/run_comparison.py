"""Two records of a run against each other: what they ran on, and their losses."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

# What is set anew with each start, or compared elsewhere.
_UNCOMPARED = {'command', 'config', 'first_iteration', 'iterations', 'started'}
Losses = Mapping[int, Mapping[str, float]]


@dataclass(frozen=True)
class Difference:
    """A value of a record that is another in a second one; '' where it is not there."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class LossDifference:
    """The first iteration at which two runs part.

    Attributes:
        step (int): The iteration, from 1.
        name (str): The loss that differs most there, relative to its size.
        before (float): Its value in the first run; NaN if it has none.
        after (float): In the second.
    """

    step: int
    name: str
    before: float
    after: float

    @property
    def amount(self) -> float:
        """The second minus the first."""
        return self.after - self.before


def differences(before: Mapping, after: Mapping) -> list[Difference]:
    """Name all in which two records differ, apart from their commands, configs and times.

    Args:
        before (Mapping): What :func:`~cmid_mm.engine.run_record.read_record` gives.
        after (Mapping): The same of another run.
    """
    old, new = _flat(before), _flat(after)
    return [
        Difference(name, old.get(name, ''), new.get(name, ''))
        for name in dict.fromkeys([*old, *new])
        if old.get(name, '') != new.get(name, '')
    ]


def first_difference(before: Losses, after: Losses, tolerance: float = 0.0) -> LossDifference | None:
    """Find where the losses of two runs part.

    Args:
        before (Mapping): What :func:`~cmid_mm.engine.run_record.read_losses` gives.
        after (Mapping): The same of another run; iterations that only one of the two has are not compared.
        tolerance (float): Largest difference, relative to the larger value, that counts as equal. Defaults to 0: equal
            bit for bit. NaN equals NaN.

    Returns:
        LossDifference: None if they agree.
    """
    for step in sorted(set(before) & set(after)):
        parted = []
        for name in dict.fromkeys([*before[step], *after[step]]):
            old, new = before[step].get(name), after[step].get(name)
            if old is None or new is None:
                old, new = (math.nan if value is None else value for value in (old, new))
            elif math.isclose(old, new, rel_tol=tolerance) or (math.isnan(old) and math.isnan(new)):
                continue
            parted.append(LossDifference(step, name, old, new))
        if parted:
            return max(parted, key=_relative)
    return None


def _relative(found: LossDifference) -> float:
    larger = max(abs(found.before), abs(found.after))
    relative = abs(found.amount) / larger if larger else 0.0
    return relative if math.isfinite(relative) else math.inf


def _flat(record: Mapping) -> dict[str, str]:
    """All values by name, as text."""
    values = {}
    for name, value in record.items():
        if name in _UNCOMPARED:
            continue
        if isinstance(value, Mapping):
            # The hash beside it says whether the difference to the commit is the same.
            values |= {f'{name}: {key}': _text(inner) for key, inner in value.items() if (name, key) != ('git', 'diff')}
        else:
            values[name] = _text(value)
    return values


def _text(value: object) -> str:
    if isinstance(value, list):
        return ', '.join(map(str, value))
    return '' if value is None else str(value).replace('\n', ', ')
