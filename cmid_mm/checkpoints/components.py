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
    for kind in _types(cfg):
        if not isinstance(kind, str) or kind not in known:
            raise CheckpointError(
                f'{checkpoint}: the config in it asks for {kind!r}, which is no registered component and could be any '
                'code; if you know it, import the package that registers it'
            )


def _registered(registry: Registry) -> Iterator[str]:
    """Names of a registry and those below it, plain and with their scopes."""
    for name in registry.module_dict:
        yield name
        yield f'{registry.scope}.{name}'
    for child in registry.children.values():
        yield from _registered(child)


def _types(cfg: Any) -> Iterator[Any]:
    if isinstance(cfg, dict):
        if 'type' in cfg:
            yield cfg['type']
        for value in cfg.values():
            yield from _types(value)
    elif isinstance(cfg, list | tuple):
        for value in cfg:
            yield from _types(value)
