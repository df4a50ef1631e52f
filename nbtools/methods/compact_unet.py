"""The compact U-Net that some methods share: half the resolution in the plane, few convolutions."""

from __future__ import annotations

import keras

from nbtools import nets
from nbtools.methods.domain import Domain

FILTERS = {"tiny": (8, 16, 32), "small": (24, 48, 96, 192), "paper": (32, 64, 128, 256)}
STEM = (1, 2, 2)


def build_network(domain: Domain, preset: str, *, outputs: int) -> keras.Model:
    """The compact network.

    Parameters
    ----------
    domain : of the images.
    preset : of FILTERS.
    outputs : channels of the output.
    """
    plan = {"filters": FILTERS[preset], "stem": STEM}
    plan |= {"skip_mode": "add", "decoder_convs": 1}
    return nets.unet_for(domain, outputs=outputs, **plan)
