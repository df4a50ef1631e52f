"""Truth to tensors, and tensors to results: encode and decode side by side, in NumPy."""

from nbtools.targets import (
    blindspot,
    blobs,
    border,
    centres,
    classes,
    distance,
    flows,
    foreground,
    image_class,
    objects,
    peaks,
    persistence,
    planes,
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
    "distance",
    "flows",
    "foreground",
    "image_class",
    "objects",
    "peaks",
    "persistence",
    "planes",
    "restored",
]
