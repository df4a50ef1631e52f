"""CARE models that the csbdeep package wrote: they restore as that package does.

Each image is scaled by its percentiles 2 and 99.8, mirrored to a multiple of the poolings, and
scaled back. Of a probabilistic model the restored image is predicted, not the width of its
distribution.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import final

import keras
import numpy as np

from nbtools.inference import Tiled
from nbtools.inference.receptive_field import ReceptiveField, measure_receptive_field
from nbtools.methods.csbdeep_model import CareNetwork, read_network, read_weights
from nbtools.methods.domain import Domain
from nbtools.methods.imported import ImportedModel
from nbtools.methods.persistence import read_about, require_part
from nbtools.targets.restored import RestoredTarget
from nbtools.training import weights

PERCENT = (2.0, 99.8)
EPSILON = np.float32(1e-20)


@final
class ImportedCare(ImportedModel):
    """A network of CARE that restores images."""

    Target = RestoredTarget
    network: CareNetwork
    model: keras.Model
    field: ReceptiveField

    @classmethod
    def import_folder(cls, folder: str | Path) -> ImportedCare:
        """Import a model that the csbdeep package wrote.

        Parameters
        ----------
        folder : with config.json and weights_best.h5.

        Raises
        ------
        UserError : the folder is no such model.
        """
        method, folder = cls(), Path(folder)
        method.adopt(read_network(folder))
        method.domain = Domain(len(method.network.axes), method.network.channels)
        read_weights(method.network, method.model, folder=folder)
        return method

    def adopt(self, network: CareNetwork) -> None:
        """Build the network from its numbers.

        Parameters
        ----------
        network : the numbers.
        """
        self.network, self.model = network, network.build()
        self.field = measure_receptive_field(self.model)

    @property
    def tiles(self) -> Tiled:
        """Tiles with the halo of the network."""
        return Tiled(self.field)

    def infer(self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None) -> np.ndarray:
        """(*space, C) grey values → (*space, C) restored ones."""
        space = tuple(range(pixels.ndim - 1))
        low, high = np.percentile(pixels, PERCENT, axis=space, keepdims=True).astype(np.float32)
        scaled = (pixels.astype(np.float32) - low) / (high - low + EPSILON)
        missing = [-size % self.network.step for size in pixels.shape[:-1]]
        widths = [(lacks // 2, lacks - lacks // 2) for lacks in missing]
        padded = np.pad(scaled, [*widths, (0, 0)], mode="reflect")
        maps = self.tiles(self.run_tile, padded, tile=tile)
        inner = (slice(a, size - b) for (a, b), size in zip(widths, maps.shape, strict=False))
        return (high - low) * maps[tuple(inner)] + low

    def run_tile(self, pixels: np.ndarray) -> np.ndarray:
        """Run the network on a tile, or on several at once.

        Parameters
        ----------
        pixels : (*tile, C), or (B, *tile, C).

        Returns
        -------
        The same axes, float32.
        """
        single = pixels.ndim == len(self.network.axes) + 1
        found = self.model.predict_on_batch(pixels[None] if single else pixels)
        return np.asarray(found)[0] if single else np.asarray(found)

    # --- on disk

    def describe_model(self) -> dict:
        """The numbers of the network."""
        return {"care": asdict(self.network), "parameters": self.model.count_params()}

    def save_weights(self, folder: Path) -> None:
        """Write weights.npz."""
        weights.write_weights(self.model, folder)

    def load_weights(self, folder: Path) -> None:
        """Build the network, and read its weights."""
        about = require_part(read_about(folder), "care", folder=folder, holds="axes")
        self.adopt(CareNetwork(**about))
        weights.read_weights(self.model, folder)
