"""Models: algorithms and their parts."""

from . import backbones, heads, losses, necks, selfsup  # noqa: F401  registers them
