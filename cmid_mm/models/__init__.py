"""Models: algorithms and their parts."""

from . import backbones, data_preprocessors, heads, losses, necks, selfsup  # noqa: F401  registers them
