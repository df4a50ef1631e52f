"""Label image to tensors and back: encode and decode side by side, plain NumPy, testable in
milliseconds.
"""

from nbtools.targets import (
    blindspot,
    border,
    centres,
    classes,
    distance,
    flows,
    persistence,
    semantic,
)

__all__ = [
    "blindspot",
    "border",
    "centres",
    "classes",
    "distance",
    "flows",
    "persistence",
    "semantic",
]
