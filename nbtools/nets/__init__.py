"""Network builders: plain functions that return Keras models, 2D or 3D by argument."""

from nbtools.nets.unet import unet

__all__ = ["unet"]
