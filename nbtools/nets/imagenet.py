"""Published networks that have learned from ImageNet: downloaded on demand, copied layer by layer.

The files are those of Keras. Its VGG and ResNet were learned with the channels blue, green and red,
in steps of 0 to 255 around their mean; ours are given red, green and blue of mean 0 and standard
deviation 1, so that the first convolution is turned and scaled. Of other channels than three, each
takes the mean of the three.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from nbtools.data.registry import download
from nbtools.errors import UserError, require_choice
from nbtools.nets.pooled import PREFIX, make_trunk

PLACE = "https://storage.googleapis.com/tensorflow/keras-applications/"
SPREAD = (58.4, 57.1, 57.4)  # standard deviations of red, green and blue in ImageNet, of 255
TERMS = (
    "Weights of {name} come from Keras, under the licence {licence}. They were learned from "
    "ImageNet, whose images may be used for research that is not commercial; read "
    "https://image-net.org/download before you use the model otherwise."
)


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    Parameters
    ----------
    url : its address.
    md5 : its checksum, as Keras has it.
    licence : of the weights.
    caffe : learned with the channels blue, green, red, in steps of 0 to 255.
    """

    url: str
    md5: str
    licence: str
    caffe: bool = False


ENDING = "_weights_tf_dim_ordering_tf_kernels_notop.h5"
FILES = {
    "vgg16": Weights(
        f"{PLACE}vgg16/vgg16{ENDING}",
        "6d6bbae143d832006294945121d1f1fc",
        "CC BY (Visual Geometry Group, Oxford)",
        caffe=True,
    ),
    "resnet50": Weights(
        f"{PLACE}resnet/resnet50{ENDING}",
        "4d473c1dd8becc155b73f8504c6f6626",
        "MIT (Kaiming He)",
        caffe=True,
    ),
    "densenet121": Weights(
        f"{PLACE}densenet/densenet121{ENDING}",
        "30ee3e1110167f948a6b9946edeeb738",
        "BSD 3-clause (Zhuang Liu)",
    ),
    "efficientnetb0": Weights(
        "https://storage.googleapis.com/keras-applications/efficientnetb0_notop.h5",
        "50bc09e76180e00e4465e1a485ddc09d",
        "Apache 2.0 (Google)",
    ),
}


def fetch_imagenet(name: str, folder: str | Path | None = None) -> tuple[Path, str]:
    """Download the weights of a published network with pooch, and check them.

    Parameters
    ----------
    name : see `nets.paper_classifier`.
    folder : of the download; None: .cache/nbtools/imagenet in the home of the user.

    Returns
    -------
    Path : of the file; one that is there and whole is not downloaded again.
    str : under which terms the weights are used.

    Raises
    ------
    UserError : an unknown network, pooch is not installed, no connection, or a wrong checksum.
    """
    require_choice(name, FILES, rule="Weights of ImageNet are there for some published networks.")
    known = FILES[name]
    place = Path(folder or Path.home() / ".cache" / "nbtools" / "imagenet")
    path = download(known.url, place, known=f"md5:{known.md5}")
    return path, TERMS.format(name=name, licence=known.licence)


def copy_imagenet(model: keras.Model, name: str, *, path: Path) -> int:
    """Copy the weights of a published network from a file into ours, in place.

    Parameters
    ----------
    model : of `nets.paper_classifier`.
    name : of the published network.
    path : of the file.

    Returns
    -------
    Number of layers that were copied.

    Raises
    ------
    UserError : the file holds other weights.
    """
    source = make_trunk(name, channels=3)
    try:
        source.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            "A file of weights holds those of the network.",
            f"{path} ({str(error)[:100]})",
            "Delete it, and begin again: it is downloaded anew.",
        ) from error
    copied, first = 0, True
    for layer in source.layers:
        # ours are given grey values of mean 0 and standard deviation 1 as they are
        if not layer.weights or isinstance(layer, layers.Normalization):
            continue
        values = [np.asarray(value) for value in layer.get_weights()]
        ours = model.get_layer(PREFIX + layer.name)
        if first:
            channels = ours.weights[0].shape[-2]
            values[0] = adapt_kernel(values[0], channels, caffe=FILES[name].caffe)
            first = False
        ours.set_weights(values)
        copied += 1
    return copied


def adapt_kernel(kernel: np.ndarray, channels: int, *, caffe: bool) -> np.ndarray:
    """The first kernel for images of other channels, of mean 0 and standard deviation 1.

    Parameters
    ----------
    kernel : (rows, columns, 3, filters).
    channels : of our images; of another number than 3, each takes the mean of the three, so that
        an image of equal channels gives what a grey one of three gave.
    caffe : see `Weights`.

    Examples
    --------
    >>> kernel = np.arange(3.0).reshape(1, 1, 3, 1)
    >>> adapt_kernel(kernel, 1, caffe=False).ravel().tolist()
    [3.0]
    >>> adapt_kernel(kernel, 3, caffe=True).ravel().tolist()
    [116.8, 57.1, 0.0]
    """
    if caffe:
        kernel = kernel[:, :, ::-1] * np.array(SPREAD).reshape(1, 1, 3, 1)
    if channels == 3:
        return kernel
    return np.repeat(kernel.sum(axis=2, keepdims=True) / channels, channels, axis=2)
