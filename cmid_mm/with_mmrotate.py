"""Everything that needs mmrotate; configs of oriented detection import it."""

from cmid_mm.datasets import oriented_boxes  # noqa: F401
