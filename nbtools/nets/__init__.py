"""Network builders: plain functions that return Keras models, 2D or 3D by argument."""

from nbtools.nets.cpnet import cpnet
from nbtools.nets.cpu_optimize import cpu_optimize
from nbtools.nets.ensemble import ensemble, side_by_side
from nbtools.nets.kinet import kinet
from nbtools.nets.plain import plain, vgg
from nbtools.nets.pooled import PooledConfig, paper_classifier, plan_halvings, pooled
from nbtools.nets.psf import Psf
from nbtools.nets.pyramid import PyramidConfig, plan_strides, pyramid
from nbtools.nets.rcan import rcan
from nbtools.nets.unet import LIGHT_VOLUME, plan_pooling, unet, unet_for
from nbtools.nets.views import three_views

__all__ = [
    "LIGHT_VOLUME",
    "PooledConfig",
    "Psf",
    "PyramidConfig",
    "cpnet",
    "cpu_optimize",
    "ensemble",
    "kinet",
    "paper_classifier",
    "plain",
    "plan_halvings",
    "plan_pooling",
    "plan_strides",
    "pooled",
    "pyramid",
    "rcan",
    "side_by_side",
    "three_views",
    "unet",
    "unet_for",
    "vgg",
]
