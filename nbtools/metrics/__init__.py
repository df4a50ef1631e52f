"""Numbers that say how good a result is: `instances` for labels of nuclei, `restoration` for images, `compare` for methods. No network."""

from nbtools.metrics import compare, instances, restoration

__all__ = ["compare", "instances", "restoration"]
