"""Configs that come out of checkpoint files may name registered components, and nothing else."""

import os
from collections.abc import Iterator
from typing import Any

from mmengine.registry import MODELS, TASK_UTILS, TRANSFORMS, WEIGHT_INITIALIZERS, Registry

from .loading import CheckpointError


def check_components(cfg: Any, checkpoint: str | os.PathLike) -> None:
    """Refuse a config whose ``type`` is no registered component, anywhere in it.

    mmengine's registries take any other name for that of an object in a module, import it and call it with what else
    stands in the config: ``dict(type='os.system', command=...)`` would run a program.

    Args:
        cfg (Any): Of a model, a part of it or a transform, as it stands in a checkpoint.
        checkpoint (str or PathLike): Where it came from, for messages.

    Raises:
        CheckpointError: If there is such a type.
    """
    known = set()
    for registry in (MODELS, TASK_UTILS, TRANSFORMS, WEIGHT_INITIALIZERS):
        known.update(_registered(registry))
    for kind in (part['type'] for part in dicts_in(cfg) if 'type' in part):
        if not isinstance(kind, str) or kind not in known:
            raise CheckpointError(
                f'{checkpoint}: the config in it asks for {kind!r}, which is no registered component and could be any '
                'code; if you know it, import the package that registers it'
            )


def dicts_in(cfg: Any) -> Iterator[dict]:
    """All dicts in a config or a part of one, itself first."""
    if isinstance(cfg, dict):
        yield cfg
        cfg = list(cfg.values())
    if isinstance(cfg, list | tuple):
        for part in cfg:
            yield from dicts_in(part)


def _registered(registry: Registry) -> Iterator[str]:
    """Names of a registry and those below it, plain and with their scopes."""
    for name in registry.module_dict:
        yield name
        yield f'{registry.scope}.{name}'
    for child in registry.children.values():
        yield from _registered(child)
