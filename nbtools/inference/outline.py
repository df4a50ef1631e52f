"""What an inference takes of memory, as plain values: it is known before a network is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from nbtools.inference.base import Forecast, Inference, ReceptiveField
from nbtools.inference.tiled import FixedTile, Tiled
from nbtools.inference.whole_image import WholeImage


@dataclass(frozen=True)
class InferenceOutline:
    """How much of an image is given to a network at a time, and what that takes.

    Parameters
    ----------
    field : receptive field and features of the network.
    tile : shape of the tiles where it is fixed, in pixels; None chooses by memory.
    whole : whether the image is given in one piece.

    Examples
    --------
    >>> field = ReceptiveField((8, 8), (4, 4), features=48.0)
    >>> outline = outline_inference(FixedTile(Tiled(field), (64, 64)))
    >>> outline.tile, outline.forecast((256, 256)).tiles
    ((64, 64), 25)
    >>> InferenceOutline.from_dict(outline.to_dict()) == outline
    True
    """

    field: ReceptiveField
    tile: tuple[int, ...] | None = None
    whole: bool = False

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """As that of the inference, see `Inference.forecast`."""
        inner = WholeImage(self.field) if self.whole else Tiled(self.field)
        return inner.forecast(shape, tile=self.tile or tile, frames=frames)

    def to_dict(self) -> dict:
        """As plain values."""
        about = {"radius": self.field.radius, "grid": self.field.grid}
        about |= {"features": self.field.features, "outputs": self.field.outputs}
        return about | {"tile": self.tile, "whole": self.whole}

    @classmethod
    def from_dict(cls, values: dict) -> InferenceOutline:
        """Back from what `to_dict` gives; further values are left aside."""
        radius, grid, tile = (values[k] and tuple(values[k]) for k in ("radius", "grid", "tile"))
        field = ReceptiveField(radius, grid, values["features"], values["outputs"])
        return cls(field, tile, values["whole"])


def outline_inference(inference: Inference) -> InferenceOutline:
    """The outline of an inference: views, planes and magnifications take no more memory.

    Parameters
    ----------
    inference : of objects that are put one into the other, the innermost with its field.
    """
    tile = None
    while not hasattr(inference, "field"):
        if isinstance(inference, FixedTile):
            tile = tile or inference.tile
        inference = inference.inner
    return InferenceOutline(inference.field, tile, isinstance(inference, WholeImage))
