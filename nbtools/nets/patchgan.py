"""A network that tells real from generated images, patch by patch (PatchGAN).

Isola et al. 2017, doi:10.1109/CVPR.2017.632.
"""

from __future__ import annotations

import keras
from keras import layers


def patchgan(
    ndim: int,
    *,
    channels: int,
    filters: tuple[int, ...] = (16, 32, 64),
    name: str = "patchgan",
) -> keras.Model:
    """Build a network that tells for each patch of an image whether it is real.

    Parameters
    ----------
    ndim : number of spatial axes, 2 or 3.
    channels : of the images.
    filters : of convolutions of 4 pixels; all but the last halve the image.
    name : of the network.

    Returns
    -------
    keras.Model : (B, *space, channels) → (B, *coarse, 1) logits.

    Examples
    --------
    >>> patchgan(2, channels=1).compute_output_shape((1, 64, 64, 1))
    (1, 16, 16, 1)
    """
    conv = getattr(layers, f"Conv{ndim}D")
    image = keras.Input((None,) * ndim + (channels,), name="judged_image")
    x = image
    for level, width in enumerate(filters):
        strides = 1 if level == len(filters) - 1 else 2
        x = conv(width, 4, strides=strides, padding="same", name=f"judge{level}")(x)
        if level:  # as published, none on the first
            x = layers.BatchNormalization(momentum=0.9, name=f"judge{level}_bn")(x)
        x = layers.LeakyReLU(negative_slope=0.2, name=f"judge{level}_act")(x)
    return keras.Model(image, conv(1, 4, padding="same", name="judge")(x), name=name)
