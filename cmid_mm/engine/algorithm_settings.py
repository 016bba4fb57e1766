"""What a config says of its algorithm, whose class knows the rest."""

import inspect
from typing import Any

from mmengine.config import Config
from mmpretrain.registry import MODELS


def has_setting(cfg: Config, name: str) -> bool:
    """Whether the algorithm of a config takes an argument of this name."""
    return name in _parameters(cfg)


def setting_of(cfg: Config, name: str) -> Any:
    """What the config says of an argument of its algorithm, or the argument's default."""
    return cfg.model[name] if name in cfg.model else _parameters(cfg)[name].default


def _parameters(cfg: Config) -> dict[str, inspect.Parameter]:
    found = {}
    for cls in reversed(MODELS.get(cfg.model.type).__mro__):
        found.update(inspect.signature(cls.__init__).parameters)
    return found
