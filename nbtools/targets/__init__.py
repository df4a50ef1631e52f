"""Truth to tensors, and tensors to results: encode and decode side by side, in NumPy."""

from nbtools.targets import (
    anchors,
    blindspot,
    border,
    boxes,
    centres,
    classes,
    distance,
    flows,
    foreground,
    objects,
    persistence,
    planes,
    regions,
    restored,
    suppression,
)
from nbtools.targets.base import LabelTarget, Parameter, Target

__all__ = [
    "LabelTarget",
    "Parameter",
    "Target",
    "anchors",
    "blindspot",
    "border",
    "boxes",
    "centres",
    "classes",
    "distance",
    "flows",
    "foreground",
    "objects",
    "persistence",
    "planes",
    "regions",
    "restored",
    "suppression",
]
