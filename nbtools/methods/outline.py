"""What a trained network takes of memory, known from model.json: nothing is loaded for it.

Loading a network takes longer than a user should wait for a refusal; whether an image fits follows
from the header of its file, and from a few numbers that a model keeps beside its settings.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nbtools.image import Image
from nbtools.inference.base import Forecast
from nbtools.inference.blocks import BlockNeeds
from nbtools.inference.outline import InferenceOutline, outline_inference
from nbtools.methods import large, network_blocks
from nbtools.methods.domain import Domain
from nbtools.methods.persistence import read_about
from nbtools.targets.restored import RestoredTarget

if TYPE_CHECKING:
    from nbtools.methods.keras_method import KerasMethod

# bytes, measured: what TensorFlow and a network take beside nbtools, before an image is read
LOADED = 0.8e9
KEY = "memory"  # in model.json


@dataclass(frozen=True)
class NetworkOutline:
    """What forecasts ask of a method, without its network.

    Parameters
    ----------
    name : of the method.
    domain : of the training images.
    inference : how the network runs over an image.
    rescales : whether images are brought to the pixel size of the training.
    blocks : whether large images are predicted block by block: "labels", "restored", or "".
    splits_colours : whether the colours of an image are restored one by one.
    """

    name: str
    domain: Domain
    inference: InferenceOutline
    rescales: bool
    blocks: str
    splits_colours: bool
    bytes_per_pixel: ClassVar[float] = 40.0

    def forecast_shape(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None, image: Image
    ) -> Forecast:
        """What the network needs for an image that is resampled to a shape.

        Parameters
        ----------
        shape : spatial shape at the pixel size of the model.
        tile : shape of a tile in pixels; None chooses by memory.
        image : before it is resampled.
        """
        return self.inference.forecast(shape, tile=tile, frames=image.size("T"))

    def works_in_blocks(self, image: Image) -> bool:
        """Whether an image can be predicted block by block; its pixels do not count."""
        split = self.splits_colours and image.is_rgb and self.domain.channels == 1
        return bool(self.blocks) and "T" not in image.axes and not split

    def block_needs(self, image: Image) -> BlockNeeds | None:
        """What a block of an image takes."""
        about = {"restores": self.blocks == "restored", "channels": image.size("C")}
        return network_blocks.find_needs(self.inference.field, self.domain, **about)


def describe(method: KerasMethod) -> dict:
    """What of a network model.json keeps, so that memory is forecast without it.

    Parameters
    ----------
    method : with its network.
    """
    kind = "restored" if issubclass(method.Target, RestoredTarget) else "labels"
    domain = method.domain
    usual = Image(np.zeros((1,) * domain.ndim + (domain.channels,), np.uint8), domain.axes + "C")
    about = outline_inference(method.inference()).to_dict()
    about["rescales"] = method.Target.rescales
    return {KEY: about | {"blocks": kind if method.works_in_blocks(usual) else ""}}


def read_outline(folder: str | Path | None) -> NetworkOutline | None:
    """The outline of a model; None where its model.json is of a version that did not keep it.

    Parameters
    ----------
    folder : of the model; None for a method that needs none.
    """
    about = {} if folder is None else read_about(Path(folder))
    known = about.get(KEY)
    if known is None or len(known["grid"]) != about["ndim"]:
        return None
    return NetworkOutline(
        about["method"],
        Domain.from_dict(about),
        InferenceOutline.from_dict(known),
        rescales=known["rescales"],
        blocks=known["blocks"],
        splits_colours=about["settings"].get("colour") == "split",
    )


def require_memory(
    outline: NetworkOutline,
    image: Image,
    *,
    tile: tuple[int, ...] | None = None,
    diameter: float | None = None,
) -> bool:
    """Whether an image will be predicted in blocks; a UserError where not even that can be done.

    Parameters
    ----------
    outline : of the model.
    image, tile, diameter : as for `predict`; the header is enough.
    """
    if len(image.spatial) != outline.domain.ndim:
        return False  # what is wrong is told when it is predicted
    reserved = 0.0 if "keras" in sys.modules else LOADED
    about = {"diameter": diameter, "reserved": reserved}
    if large.fits_memory(outline, image, tile=tile, **about):
        return False
    if not outline.works_in_blocks(image):
        raise large.refuse(outline, image)
    large.require_block(outline, image, **about)
    return True
