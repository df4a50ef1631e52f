"""How a trained method scales grey values: each image by itself, or all by the training set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nbtools import normalize
from nbtools.data import DataSet
from nbtools.methods.method import Method
from nbtools.methods.persistence import read_about, require_part
from nbtools.normalize import Normalization, Scale

LOOKED_AT = 64  # training images that one normalisation for all is measured on
SAMPLED = 500_000  # values of each of them
BY_SHARE = (
    "This model was made before grey values were scaled robustly: it scales them by percentiles 1 "
    "and 99.8 of each image, as it always did. Hot pixels, margins and debris can hide nuclei from "
    "it. To have the robust scale, train {method} again, beginning with this model (--init)."
)


class GreyScaling(Method):
    """What a method with a network knows of grey values."""

    normalization: Normalization = normalize.ROBUST
    scale: Scale | None = None  # of the whole training set, where the method has one for all images

    def normalise(self, pixels: np.ndarray) -> tuple[np.ndarray, Scale]:
        """What of an image is scaled, and how, in training and in prediction.

        Parameters
        ----------
        pixels : (*space, C) grey values of the whole image, never of a tile.

        Returns
        -------
        (*space, C) grey values with faults mended, where the normalisation does that, and the scale
        to apply to them.
        """
        if self.normalization.whole_set:
            return pixels, self.scale
        return self.normalization.prepare(pixels)

    def scale_of(self, pixels: np.ndarray) -> Scale:
        """(*space, C) grey values → the scale of `normalise`."""
        return self.normalise(pixels)[1]

    def mend(self, pixels: np.ndarray) -> np.ndarray:
        """(*space, C) grey values → the same, faults mended before they are resampled."""
        return self.normalization.mend(pixels)

    def measure_scale(self, train: DataSet) -> None:
        """One normalisation for all images, measured on a regular choice of the training set."""
        images = self.sample_images(train)
        values = np.concatenate([i.reshape(-1, 1, i.shape[-1]) for i in images])
        self.scale = self.normalization.measure(values)

    def sample_images(self, train: DataSet) -> list[np.ndarray]:
        """Choose training images at regular intervals, to measure grey values on.

        Parameters
        ----------
        train : training images.

        Returns
        -------
        (*space, C) float32 of each; of large images, every n-th pixel.
        """
        chosen = np.unique(np.linspace(0, len(train) - 1, LOOKED_AT).round().astype(int))
        found = []
        for index in chosen:
            image = self.check_image(train.image(int(index)))
            pixels = image.to(self.domain.axes + "C").pixels
            step = max(1, round((pixels.size / SAMPLED) ** (1 / self.domain.ndim)))
            thinned = pixels[(slice(None, None, step),) * self.domain.ndim]
            found.append(thinned.astype(np.float32))
        return found

    def describe_scaling(self) -> dict:
        """As model.json has it."""
        words = self.normalization.describe()
        if self.scale is not None:
            words = {"how": words, "offset": list(self.scale.offset)}
            words["factor"] = list(self.scale.factor)
        return {"normalisation": words}

    def recall(self, about: dict) -> None:
        """Scale grey values as the model was trained with; older ones know percentiles only."""
        told = about.get("normalisation")
        self.normalization = normalize.recall(told, usual=self.normalization)
        if self.normalization is normalize.PERCENTILES and not isinstance(told, dict):
            self.remarks = (BY_SHARE.format(method=self.name),)

    def read_description(self, folder: Path) -> None:
        """Take what else the network is built from out of the model's folder."""
        if self.normalization.whole_set:
            about = read_about(folder)
            about = require_part(about, "normalisation", folder=folder, holds="offset")
            self.scale = Scale(tuple(about["offset"]), tuple(about["factor"]))
