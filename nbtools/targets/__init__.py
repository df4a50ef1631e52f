"""Label image to tensors and back: encode and decode side by side, plain NumPy, testable in milliseconds."""

from nbtools.targets import border, classes, distance, semantic

__all__ = ["border", "classes", "distance", "semantic"]
