"""What a folder of the csbdeep package says of a CARE network: its configuration and its weights.

The network is built from the numbers of config.json, and the arrays of the HDF5 file are put into
it: nothing of the folder is run as code.

References
----------
Weigert et al. 2018, doi:10.1038/s41592-018-0216-7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np

from nbtools import documents, nets
from nbtools.errors import UserError

CONFIG, WEIGHTS = "config.json", ("weights_best.h5", "weights_last.h5")
KIND = "config.json of CARE"


@dataclass(frozen=True)
class CareNetwork:
    """The numbers that a network of CARE is built from.

    Parameters
    ----------
    axes : spatial, YX or ZYX.
    channels : of the image, and of the result.
    depth : poolings, by 2 along each axis.
    first : filters of the finest level; each coarser one has twice as many.
    kernel : size of the convolutions.
    residual : the network predicts the difference to the image.
    activation : of the output.
    probabilistic : there is a second output, which is left out: the width of a distribution.
    """

    axes: str
    channels: int = 1
    depth: int = 2
    first: int = 32
    kernel: int = 5
    residual: bool = True
    activation: str = "linear"
    probabilistic: bool = False

    @property
    def step(self) -> int:
        """Pixels that sizes of an image are a multiple of."""
        return 2**self.depth

    def build(self) -> keras.Model:
        """The network: (B, *space, C) → (B, *space, C)."""
        network = nets.unet(
            len(self.axes),
            channels=self.channels,
            outputs=self.channels,
            filters=tuple(self.first * 2**level for level in range(self.depth + 1)),
            kernel=self.kernel,
            norm="none",
            narrow_before_upsampling=True,
            residual=self.residual,
        )
        if self.activation == "linear":
            return network
        last = keras.layers.Activation(self.activation, name="last")(network.outputs[0])
        return keras.Model(network.inputs[0], last, name="care")

    def list_layers(self) -> dict[str, str]:
        """Names of our layers → those of the package; the last one has a number for a name."""
        pairs = {}
        for level in range(self.depth):
            for number in (0, 1):
                pairs[f"enc{level}_{number}"] = f"down_level_{level}_no_{number}"
            for number in (0, 1):
                pairs[f"dec{level}_{number}"] = f"up_level_{level}_no_{2 * number}"
        for number in (0, 1):
            pairs[f"enc{self.depth}_{number}"] = f"middle_{2 * number}"
        return pairs


def is_care(folder: Path) -> bool:
    """Whether the config.json in a folder is that of a network of CARE.

    Parameters
    ----------
    folder : of a model.
    """
    about = documents.read_json(folder / CONFIG)
    return isinstance(about, dict) and "unet_residual" in about


def read_network(folder: Path) -> CareNetwork:
    """Read config.json.

    Parameters
    ----------
    folder : of a model.

    Raises
    ------
    UserError : it is no network that restores an image of the same axes and channels.
    """
    about = documents.read_document(folder / CONFIG, KIND)
    channels = about.get("n_channel_in", 1)
    if about.get("n_channel_out", 1) != channels or "proj_n_depth" in about:
        raise _refuse("restores the axes and channels that it is given", folder, about["axes"])
    return CareNetwork(
        axes=about["axes"].replace("C", ""),
        channels=channels,
        depth=about["unet_n_depth"],
        first=about["unet_n_first"],
        kernel=about["unet_kern_size"],
        residual=about["unet_residual"],
        activation=about["unet_last_activation"],
        probabilistic=about.get("probabilistic", False),
    )


def _refuse(what: str, folder: Path, received: object) -> UserError:
    return UserError(
        f"A CARE model that is imported {what}.",
        f"{folder} ({documents.shorten(received)})",
        "Use the csbdeep package, or give the whole folder that it wrote.",
    )


def read_weights(network: CareNetwork, model: keras.Model, *, folder: Path) -> None:
    """Put the arrays of weights_best.h5 into a network.

    Parameters
    ----------
    network : what it was built from.
    model : is changed in place.
    folder : of the model of the package.

    Raises
    ------
    UserError : the file is missing or damaged, or belongs to another network.
    """
    path = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        raise _refuse(f"has its weights in {WEIGHTS[0]}", folder, "no such file")
    pairs = network.list_layers()
    try:
        arrays = _read_arrays(path)
        others = sorted(set(arrays) - set(pairs.values()), key=_number)
        # of a probabilistic network the second one makes the width
        pairs["head"] = others[0]
        for ours, theirs in pairs.items():
            kernel, bias = arrays[theirs]["kernel"], arrays[theirs]["bias"]
            model.get_layer(ours).set_weights([kernel, bias])
    except (OSError, LookupError, ValueError, RuntimeError) as error:
        raise _refuse("has the weights of its configuration", path, error) from error
    if len(others) != 1 + network.probabilistic:
        raise _refuse("has the weights of its configuration", path, f"layers {others}")


def _number(name: str) -> tuple[int, ...]:
    """Numbers in the name of a layer: conv2d, conv2d_1, conv2d_2."""
    return tuple(int(part) for part in re.findall(r"_(\d+)", name))


def _read_arrays(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Layer → kernel and bias; links to elsewhere are not followed."""
    found: dict[str, dict[str, np.ndarray]] = {}

    def take(place: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim <= 5 and item.dtype.kind == "f":
            layer, name = place.split("/")[-2:]
            found.setdefault(layer, {})[name.partition(":")[0]] = np.asarray(item, np.float32)

    with h5py.File(path, "r") as file:
        file.visititems(take)
    return found
