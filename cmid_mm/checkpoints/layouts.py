"""Find the weights of a backbone in a file of another project: recognise, unwrap, select and rename, by the table."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .key_rules import SOURCES, Naming, Renames, Source, State
from .loading import CheckpointError

ROLES = ('student', 'teacher')
_SHOWN = 3


@dataclass
class Selection:
    """The part of a file that is a backbone.

    Attributes:
        state (dict[str, Tensor]): Its weights under the source's names, without their prefix.
        naming (Naming): How they are named.
        dropped (dict[str, int]): Other weights, counted by the beginning of their names.
    """

    state: State
    naming: Naming
    dropped: dict[str, int]


def weights_of(file: Any, path: str) -> State:
    """The tensors at a dotted path of a loaded file, without a leading ``module.``; none if nothing is there."""
    for part in path.split('.') if path else ():
        file = file.get(part) if isinstance(file, dict) else None
    if not isinstance(file, dict):
        return {}
    return {
        name.removeprefix('module.'): value
        for name, value in file.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }


def recognise(file: dict, path: str) -> str:
    """The name of the source whose files have such keys.

    Args:
        file (dict): The loaded file.
        path (str): Where it came from, for messages.

    Raises:
        CheckpointError: If no source has, or several could have; it shows the first keys.
    """
    known, possible = [], []
    for name, rules in SOURCES.items():
        state = _unwrap(file, rules)
        if _naming(state, rules, rules.prefixes) is None:
            continue
        possible.append(name)
        if all(_found(sign, state) for sign in rules.signs) and not any(
            _found(sign, state) for sign in rules.not_signs
        ):
            known.append(name)
    if len(known) == 1:
        return known[0]
    if possible:
        raise CheckpointError(
            f'{path} could be of {", ".join(known or possible)}, which have such keys ({first_keys(file)}) and may '
            'expect other images; say which with --from'
        )
    raise CheckpointError(
        f'{path} is of no known layout, its first keys are {first_keys(file)}; if it is of one of '
        f'{", ".join(SOURCES)}, name it with --from to learn what is missing'
    )


def select(file: dict, name: str, role: str, path: str) -> Selection:
    """Take the weights of a source's backbone.

    Args:
        file (dict): The loaded file.
        name (str): Key of ``SOURCES``.
        role (str): ``'student'`` or ``'teacher'``.
        path (str): Where the file came from, for messages.

    Raises:
        ValueError: If the source has no teacher.
        CheckpointError: If the file is no such one.
    """
    rules = SOURCES[name]
    prefixes = rules.teacher_prefixes if role == 'teacher' else rules.prefixes
    if not prefixes:
        raise ValueError(f'files of {name} hold no teacher; leave out role={role!r}')
    state = _unwrap(file, rules)
    for pattern, reason in rules.refused:
        if _found(pattern, state):
            raise CheckpointError(f'{path} cannot be converted: {reason}; give the file of its pretraining')
    for one, other in rules.copies:
        if one in state and other in state and not torch.equal(state[one], state[other]):
            raise CheckpointError(f'{path} is no file of {name}, where {one} and {other} are the same; check --from')
    found = _naming(state, rules, prefixes)
    if found is None:
        begin = ' or '.join(repr(prefix) for prefix in prefixes if prefix)
        raise CheckpointError(
            f'{path} is no file of {name} ({rules.title}): no backbone was found '
            f'{f"under {begin} " if begin else ""}among its keys ({first_keys(file)}); check --from'
        )
    prefix, naming = found
    taken, dropped = {}, Counter()
    for key, value in state.items():
        rest = key.removeprefix(prefix)
        if key.startswith(prefix) and not any(re.search(pattern, rest) for pattern in rules.drop):
            taken[rest] = value
        else:
            dropped[key.split('.')[0]] += 1
    return Selection(taken, naming, dict(dropped))


def rename(state: State, renames: Renames, path: str) -> State:
    """Apply patterns and replacements to every key, one after the other; the order of keys stays.

    Raises:
        CheckpointError: If two keys get one name.
    """
    renamed: State = {}
    for name, value in state.items():
        new = name
        for pattern, replacement in renames:
            new = re.sub(pattern, replacement, new)
        if new in renamed:
            raise CheckpointError(f'{path} has two weights for {new}, one of them {name}; check --from')
        renamed[new] = value
    return renamed


def first_keys(file: dict) -> str:
    """The first keys of weights, as deep in the file as they are."""
    states = [weights_of(file, path) for rules in SOURCES.values() for path in rules.wrappers]
    names = [str(name) for name in max(states, key=len) or file]
    return ', '.join(names[:_SHOWN] + ['...'] * (len(names) > _SHOWN)) or 'none'


def _unwrap(file: dict, rules: Source) -> State:
    return next((state for path in rules.wrappers if (state := weights_of(file, path))), {})


def _found(pattern: str, names: Iterable[str]) -> bool:
    return any(re.search(pattern, name) for name in names)


def _naming(state: State, rules: Source, prefixes: tuple[str, ...]) -> tuple[str, Naming] | None:
    """The first prefix that occurs, and the naming of the keys that have it."""
    prefix = next((prefix for prefix in prefixes if any(name.startswith(prefix) for name in state)), None)
    if prefix is None:
        return None
    names = [name.removeprefix(prefix) for name in state if name.startswith(prefix)]
    naming = next((naming for naming in rules.namings if _found(naming.found_by, names)), None)
    return naming and (prefix, naming)
