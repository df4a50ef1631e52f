"""Models of bioimage.io with ONNX weights: they predict as their package declares it.

A graph of ONNX operators is data: nothing of a package is run as code.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtools.config import Settings
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.inference import Forecast, ReceptiveField, Tiled
from nbtools.inference.onnx_session import open_session
from nbtools.methods.bioimageio_package import Package, Tensor, find_channels
from nbtools.methods.declared_steps import run_steps
from nbtools.methods.domain import Domain
from nbtools.methods.method import Method
from nbtools.methods.persistence import read_about, require_part
from nbtools.patches import reflect_pad
from nbtools.targets.foreground_and_border import ForegroundBorderTarget
from nbtools.targets.restored import RestoredTarget

if TYPE_CHECKING:
    from nbtools.training.settings import History, TrainingPlan

WEIGHTS = "weights.onnx"
FEATURES = 256.0  # values per pixel in memory, of a network whose layers are not looked at


class ImportedModel(Method):
    """What imported networks share.

    Attributes
    ----------
    given, found : input and output of the network, as the package describes them.
    channels : of the output that are decoded, in their order.
    """

    given: Tensor
    found: Tensor
    channels: tuple[int, ...] | None = None
    source: Path | None = None  # of the weights
    licence: str = ""
    session: Any = None

    @classmethod
    def import_package(cls, package: Package, *, channels: tuple[int, ...] | None = None) -> Method:
        """Make a model of a package.

        Parameters
        ----------
        package : read from its folder, which must stay until the model is saved.
        channels : of the output that are decoded; None chooses by their names.

        Raises
        ------
        UserError : ONNX Runtime cannot run the weights.
        """
        method = cls()
        method.given, method.found = package.given, package.found
        method.channels, method.source = channels, package.weights
        method.licence = package.licence
        method.domain = Domain(
            len(package.given.space),
            package.given.channels,
            spacing=package.given.spacing,
        )
        method.session = open_session(package.weights)
        return method

    def learn(
        self, train: DataSet, val: DataSet | None, *, plan: TrainingPlan, history: History
    ) -> History:
        """An imported model cannot learn."""
        raise UserError(
            "An imported model predicts, and cannot learn.",
            self.name,
            "Train a method of the table: nbtools methods.",
        )

    # --- predicting

    @property
    def tiles(self) -> Tiled:
        """Tiles with the halo that the package declares."""
        halo = self.found.halo if any(self.found.halo) else None
        grid = tuple(max(1, step) for step in self.given.step)
        return Tiled(ReceptiveField(halo, grid, FEATURES, float(self.given.channels)))

    def infer(self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None) -> np.ndarray:
        """(*space, C) grey values → (*space, K) maps behind all steps of the package."""
        axes = self.given.space + "c"
        scaled = run_steps(pixels, self.given.steps, axes=axes)
        maps = self.tiles(self.run_tile, scaled, tile=tile)
        return self.choose(run_steps(maps, self.found.steps, axes=axes))

    def choose(self, maps: np.ndarray) -> np.ndarray:
        """The channels that are decoded, (*space, K) of all."""
        return maps if self.channels is None else maps[..., list(self.channels)]

    def run_tile(self, pixels: np.ndarray) -> np.ndarray:
        """Run the network on a tile; a smaller one than it takes is mirrored to its least size.

        Parameters
        ----------
        pixels : (*tile, C).

        Returns
        -------
        (*tile, K) float32.
        """
        space = pixels.shape[:-1]
        least = self.given.least
        missing = [(0, max(0, low - size)) for size, low in zip(space, least, strict=True)]
        padded = reflect_pad(pixels, missing) if any(m for _, m in missing) else pixels
        arranged = arrange(padded, self.given.space + "c", onto=self.given.axes)
        name = self.session.get_inputs()[0].name
        maps = np.asarray(self.session.run(None, {name: arranged.astype(np.float32)})[0])
        back = arrange(maps, self.found.axes, onto=self.given.space + "c")
        if back.shape[:-1] != padded.shape[:-1]:
            raise UserError(
                "An imported network gives maps of the size of its image.",
                f"{back.shape[:-1]} of {padded.shape[:-1]}",
                "Use the program the package is made for.",
            )
        return back[tuple(map(slice, space))]

    def forecast_shape(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None, image: Image
    ) -> Forecast | None:
        """What tiles take, by a guess of the layers."""
        if len(shape) != self.domain.ndim:
            return None
        return self.tiles.forecast(shape, tile=tile, frames=image.size("T"))

    # --- on disk

    def describe_model(self) -> dict:
        """What the package says."""
        about = {"given": asdict(self.given), "found": asdict(self.found)}
        chosen = None if self.channels is None else list(self.channels)
        return {"package": about | {"channels": chosen, "licence": self.licence}}

    def save_weights(self, folder: Path) -> None:
        """Copy the weights of the package."""
        shutil.copyfile(self.source, folder / WEIGHTS)

    def load_weights(self, folder: Path) -> None:
        """Read the description and the weights."""
        about = require_part(read_about(folder), "package", folder=folder, holds="given")
        self.given, self.found = (make_tensor(about[key]) for key in ("given", "found"))
        chosen = about.get("channels")
        self.channels = None if chosen is None else tuple(chosen)
        self.licence = about.get("licence") or ""
        self.source = folder / WEIGHTS
        self.session = open_session(self.source)


def make_tensor(values: dict) -> Tensor:
    """A tensor from plain values, as model.json has them."""
    return Tensor(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def arrange(array: np.ndarray, axes: str, *, onto: str) -> np.ndarray:
    """Bring an array to other axes; those of size 1 come and go.

    Parameters
    ----------
    array : with these axes.
    axes, onto : letters.

    Examples
    --------
    >>> arrange(np.zeros((4, 5, 3)), "yxc", onto="bcyx").shape
    (1, 3, 4, 5)
    >>> arrange(np.zeros((1, 3, 4, 5)), "bcyx", onto="yxc").shape
    (4, 5, 3)
    """
    for letter in [one for one in axes if one not in onto]:
        array, axes = array.take(0, axis=axes.index(letter)), axes.replace(letter, "")
    for letter in [one for one in onto if one not in axes]:
        array, axes = array[None], letter + axes
    return array.transpose([axes.index(letter) for letter in onto])


@dataclass(frozen=True)
class ImportedSettings(Settings, parameters=ForegroundBorderTarget.parameters):
    """How the maps are decoded."""


class ImportedSegmentation(ImportedModel):
    """A network that finds nuclei: foreground, and perhaps border."""

    Settings, Target = ImportedSettings, ForegroundBorderTarget

    def choose(self, maps: np.ndarray) -> np.ndarray:
        """Foreground and border; by their names where nothing was chosen."""
        if self.channels is None:
            inside, border = find_channels(self.found.names)
            if border is None and not self.found.names and maps.shape[-1] == 2:
                border = 1
            chosen = [inside] if border is None else [inside, border]
            return maps[..., chosen]
        return super().choose(maps)


class ImportedRestoration(ImportedModel):
    """A network that gives an image of the same kind."""

    Target = RestoredTarget


IMPORTED = {"instances": ImportedSegmentation, "restoration": ImportedRestoration}
