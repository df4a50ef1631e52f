"""One click in the painter adds the nucleus that a network sees there at a lower threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from nbtools.errors import UserError
from nbtools.image import Image

if TYPE_CHECKING:
    from nbtools.methods import Method, Prediction

Part = tuple[tuple[int, int], ...]  # first pixel and end along Z, Y and X
# shares of the model's threshold, tried one after the other
SHARES = (1.0, 0.8, 0.6, 0.4, 0.25, 0.12)
LARGEST = 2_500_000  # pixels of an image that is predicted whole; of a larger one, a part
PART = {"Z": 24, "Y": 384, "X": 384}  # pixels around the click, of a larger image
LEAST = 8  # pixels of a nucleus that a click adds
OWN = 0.5  # share of it that no other nucleus has taken


class ClickAssist:
    """Finds the nucleus at a place in the maps of a network, at ever lower thresholds.

    The maps of an image that is not too large are those of a prediction that kept them, or are
    predicted once, at the first click; of a larger image, those around each click are predicted.

    Parameters
    ----------
    model : trained method that labels nuclei by a threshold.
    image : that is painted on.
    prediction : of this image, made with `raw=True`.
    """

    def __init__(self, model: Method, image: Image, *, prediction: Prediction | None = None):
        self.model, self.image = model, image
        kept = prediction is not None and bool(prediction.raw)
        self._predicted = {self._whole(): prediction} if kept else {}
        self._decoded: dict[tuple, np.ndarray] = {}

    def find(self, place: tuple[int, int, int], label: np.ndarray) -> np.ndarray:
        """The pixels of the nucleus at a place that no other nucleus has.

        Parameters
        ----------
        place : z, y, x in pixels.
        label : (Z, Y, X) labels painted so far.

        Returns
        -------
        (N,) int, flat indices into the label, ascending.

        Raises
        ------
        UserError : there is a nucleus already, or the network sees none.
        """
        if label[place] > 0:
            raise UserError(
                "A click adds a nucleus where none is yet.",
                f"nucleus {label[place]} there",
                "Click beside it, or delete it first (D).",
            )
        part = self._choose_part(place, label.shape)
        inside = tuple(p - start for p, (start, _) in zip(place, part, strict=True))
        for share in SHARES:
            found = self._decode(part, share)
            if found[inside] == 0:
                continue
            own = found == found[inside]
            free = own & (label[_to_slices(part)] <= 0)
            if free.sum() >= max(LEAST, OWN * own.sum()):
                return _to_indices(_keep_piece(free, inside), part, shape=label.shape)
            break  # at a lower threshold it only grows further into others
        raise UserError(
            "A click adds a nucleus that the network sees.",
            "none of its own here, at any threshold",
            "Draw it with the outline.",
        )

    def _whole(self) -> Part:
        return tuple((0, self.image.size(axis)) for axis in "ZYX")

    def _choose_part(self, place: tuple, shape: tuple[int, ...]) -> Part:
        whole = self._whole()
        if whole in self._predicted or np.prod(shape) <= LARGEST:
            return whole
        part = []
        for axis, at, size in zip("ZYX", place, shape, strict=True):
            start = max(0, min(at - PART[axis] // 2, size - PART[axis]))
            part.append((start, min(start + PART[axis], size)))
        return tuple(part)

    def _predict(self, part: Part) -> Prediction:
        if part not in self._predicted:
            at = dict(zip("ZYX", _to_slices(part), strict=True))
            places = tuple(at.get(axis, slice(None)) for axis in self.image.axes)
            piece = self.image.replace(pixels=self.image.pixels[places])
            found = self.model.predict(piece, raw=True)
            if not found.raw or found.labels is None:
                raise UserError(
                    "A click needs a model that keeps its maps.",
                    self.model.name,
                    "Correct by hand, or take a model such as nuclei2d.",
                )
            self._predicted = {part: found}
        return self._predicted[part]

    def _decode(self, part: Part, share: float) -> np.ndarray:
        """Labels (Z, Y, X) of a part at a share of the model's threshold."""
        found = self._predict(part)
        if not any(key[0] == part for key in self._decoded):
            self._decoded = {}
        if (part, share) not in self._decoded:
            values = self.model.decoding_values()
            choices = {"threshold": share * values["threshold"]} if "threshold" in values else {}
            if share < 1 and "min_size" in values:
                choices["min_size"] = min(values["min_size"], LEAST)
            maps = found.raw.get("maps", found.raw)
            again = self.model.decode_maps(maps, found.labels, zoom=found.zoom, **choices)
            self._decoded[part, share] = again.labels.to("ZYX").pixels
        return self._decoded[part, share]


def _to_slices(part: Part) -> tuple[slice, ...]:
    return tuple(slice(*along) for along in part)


def _keep_piece(mask: np.ndarray, inside: tuple[int, ...]) -> np.ndarray:
    """The connected piece of a mask that holds a place."""
    pieces, _ = ndimage.label(mask)
    return pieces == pieces[inside]


def _to_indices(mask: np.ndarray, part: Part, *, shape: tuple[int, ...]) -> np.ndarray:
    """Flat indices in the whole of the pixels of a mask in a part."""
    places = [axis + start for axis, (start, _) in zip(np.nonzero(mask), part, strict=True)]
    return np.sort(np.ravel_multi_index(tuple(places), shape))
