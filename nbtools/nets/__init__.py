"""Network builders: plain functions that return Keras models, 2D or 3D by argument."""

from nbtools.nets.cpnet import cpnet
from nbtools.nets.cpu_optimize import cpu_optimize
from nbtools.nets.dense_prediction import DecoderConfig, dense_prediction, panoptic
from nbtools.nets.ensemble import ensemble, in_sequence, side_by_side
from nbtools.nets.fullnet import FullNetConfig, fullnet
from nbtools.nets.hrnet import HRNetConfig, hrnet
from nbtools.nets.imagenet import copy_imagenet, fetch_imagenet
from nbtools.nets.kinet import kinet
from nbtools.nets.patchgan import patchgan
from nbtools.nets.plain import plain, vgg
from nbtools.nets.pooled import (
    PooledConfig,
    encoder,
    encoder_for,
    paper_classifier,
    paper_encoder,
    paper_encoder_for,
    plan_encoder,
    plan_halvings,
    pooled,
)
from nbtools.nets.psf import Psf
from nbtools.nets.pyramid import PyramidConfig, plan_strides, pyramid
from nbtools.nets.rcan import rcan
from nbtools.nets.unet import LIGHT_VOLUME, plan_pooling, unet, unet_for
from nbtools.nets.unetr import UNETRConfig, unetr
from nbtools.nets.views import three_views

__all__ = [
    "LIGHT_VOLUME",
    "DecoderConfig",
    "FullNetConfig",
    "HRNetConfig",
    "PooledConfig",
    "Psf",
    "PyramidConfig",
    "UNETRConfig",
    "copy_imagenet",
    "cpnet",
    "cpu_optimize",
    "dense_prediction",
    "encoder",
    "encoder_for",
    "ensemble",
    "fetch_imagenet",
    "fullnet",
    "hrnet",
    "in_sequence",
    "kinet",
    "panoptic",
    "paper_classifier",
    "paper_encoder",
    "paper_encoder_for",
    "patchgan",
    "plain",
    "plan_encoder",
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
    "unetr",
    "vgg",
]
