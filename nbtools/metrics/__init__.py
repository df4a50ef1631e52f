"""Numbers that say how good a result is: `instances` for labels of nuclei, `compare` for several methods. No network."""

from nbtools.metrics import compare, instances

__all__ = ["compare", "instances"]
