"""Truth to tensors, and tensors to results: encode and decode side by side, in NumPy."""

from nbtools.targets import (
    blindspot,
    blobs,
    border,
    centres,
    classes,
    discs,
    distance,
    flows,
    foreground,
    objects,
    outlines,
    peaks,
    persistence,
    planes,
    proximity,
    restored,
)
from nbtools.targets.base import LabelTarget, Parameter, Target

__all__ = [
    "LabelTarget",
    "Parameter",
    "Target",
    "blindspot",
    "blobs",
    "border",
    "centres",
    "classes",
    "discs",
    "distance",
    "flows",
    "foreground",
    "objects",
    "outlines",
    "peaks",
    "persistence",
    "planes",
    "proximity",
    "restored",
]
