"""What every method is: settings in, fit, predict, save, load; axes, shape and pixel size kept from image to result."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nbtools import config, io, runtime
from nbtools.config import Settings
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image

if TYPE_CHECKING:
    from nbtools.training import History, TrainingPlan


@dataclass(frozen=True)
class Domain:
    """What a model was made for, remembered so that a new image can be brought to it or warned about.

    nucleus_size : median diameter of the nuclei in training, in pixels of X; None without labels.
    """

    ndim: int = 2
    channels: int = 1
    channel_names: tuple[str, ...] = ()
    spacing: tuple[float, ...] | None = None
    unit: str = "um"
    nucleus_size: float | None = None

    @property
    def axes(self) -> str:
        return "ZYX"[-self.ndim :]

    @classmethod
    def of(cls, image: Image, nucleus_size: float | None = None) -> Domain:
        return cls(len(image.spatial), image.size("C"), tuple(image.channels), image.spacing, image.unit, nucleus_size)


@dataclass
class Prediction:
    """What a method says of one image: labels, or a restored image, with the network's maps where asked for.

    raw : name → array (*space, K), what the network said before it was decoded.
    """

    labels: Image | None = None
    image: Image | None = None
    raw: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()


class Method(ABC):
    """A way to get from images to results. The table of methods holds what is known of it; the class repeats none of that.

    Parameters
    ----------
    settings : the method's `Settings`, or None for the defaults; single settings can be given by name.
    """

    name: ClassVar[str] = ""
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Settings | None = None, **changes):
        self.settings = (settings or self.Settings()).replace(**changes)
        self.domain = Domain()
        self.tuned: dict = {}  # decoding values chosen on the validation images, where the settings leave them open
        self.history = None

    @abstractmethod
    def fit(self, train: DataSet, val: DataSet | None = None, *, plan: TrainingPlan | None = None) -> History:
        """Learn from a data set; returns a `training.History`. `val` serves for choosing thresholds, never for learning."""

    @abstractmethod
    def predict_space(self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None) -> np.ndarray:
        """(*space, C) grey values of one image → (*space, K) float32 maps, before decoding."""

    @abstractmethod
    def decode(self, maps: np.ndarray, **choices) -> np.ndarray:
        """(*space, K) maps → (*space) int32 labels, or (*space, C) restored grey values."""

    def predict(self, image: Image, *, tile: tuple[int, ...] | None = None, raw: bool = False) -> Prediction:
        """Apply the method to an image.

        image : axes of the method's dimension, with or without T; several channels only if it was trained with as many.
        tile : shape of a tile in pixels; None chooses by memory.   raw : keep the maps in the result.

        Raises
        ------
        UserError : axes or channels that the method cannot take.
        """
        image = self.check_image(image)
        started = time.perf_counter()
        frames = [image.select(T=t) for t in range(image.size("T"))] if "T" in image.axes else [image]
        maps = [self.predict_space(frame.to(self.domain.axes + "C").pixels, tile=tile) for frame in frames]
        results = [self.decode(m, **self.choices()) for m in maps]
        pixels = np.stack(results) if "T" in image.axes else results[0]
        axes = "T" * ("T" in image.axes) + self.domain.axes
        plain = image.select(C=0).to(axes)
        result = self.wrap(plain, pixels)
        result.seconds = time.perf_counter() - started
        if raw:
            result.raw = {"maps": np.stack(maps) if "T" in image.axes else maps[0]}
        return result

    def wrap(self, like: Image, pixels: np.ndarray) -> Prediction:
        """Put decoded pixels into an image with the axes, spacing and name of the input."""
        return Prediction(labels=like.replace(pixels=pixels, channels=()))

    def choices(self) -> dict:
        """Decoding values: what the settings fix, else what was tuned on validation images, else the method's own defaults."""
        declared = {d.name: getattr(self.settings, d.name) for d in self.settings.declarations() if d.name in self.tunable()}
        return {**self.tunable(), **self.tuned, **{k: v for k, v in declared.items() if v is not None}}

    def tunable(self) -> dict:
        """Names and default values of what `decode` takes."""
        return {}

    def check_image(self, image: Image) -> Image:
        """The image with the channels the method needs, or a UserError that says what to do."""
        domain = self.domain
        if len(image.spatial) != domain.ndim:
            remedy = "Choose one plane, or train on volumes." if domain.ndim == 2 else "Give a z-stack, or train on planes."
            raise UserError(f"This model needs images with axes {domain.axes}.", f"{image.name or 'image'} with axes {image.axes}", remedy)
        if image.is_rgb and domain.channels == 1 and _is_grey(image):
            image = image.select(C=0)
        if image.size("C") != domain.channels:
            received = f"{image.name or 'image'} with {image.size('C')}{' (colour)' if image.is_rgb else ''}"
            remedy = "Choose one with --channel." if domain.channels == 1 else "Give images with the channels of the training set."
            raise UserError(f"This model needs {domain.channels} channel(s).", received, remedy)
        return image

    def save(self, folder: str | Path) -> None:
        """Write model.json and what else the method needs into a folder."""
        folder = Path(folder)
        about = {"method": self.name, "settings": self.settings.to_dict(), "tuned": self.tuned, **asdict(self.domain)}
        io.write_json(folder / "model.json", about | {"axes": self.domain.axes, "versions": runtime.versions()} | self.extra())
        self.save_weights(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Method:
        """Read back what `save` wrote; runs no code from the files.

        Raises
        ------
        UserError : files missing, damaged, or of another network.
        """
        folder = Path(folder)
        about = json.loads((folder / "model.json").read_text("utf-8"))
        method = cls(cls.Settings.from_dict(about["settings"]))
        known = {k: tuple(v) if isinstance(v, list) else v for k, v in about.items() if k in Domain.__dataclass_fields__}
        method.domain, method.tuned = Domain(**known), about.get("tuned", {})
        method.load_weights(folder)
        return method

    def extra(self) -> dict:
        """Further entries of model.json."""
        return {}

    def save_weights(self, folder: Path) -> None:  # noqa: B027
        """Methods without weights write none."""

    def load_weights(self, folder: Path) -> None:  # noqa: B027
        """Methods without weights read none."""

    def start_fit(self, train: DataSet, needs: str | None) -> None:
        """What every fit begins with: rehearsal settings, a look at the first image, a refusal of what cannot be learned from."""
        self.settings = config.shorten(self.name, self.settings)
        if not len(train):
            raise UserError(
                "Training needs at least one image.", f"{train.name or 'data set'} without images", "Check the folder with `nbtools check`."
            )
        if needs and not train.has(needs):
            remedy = f"Put one file for each image into the folder {needs}/."
            raise UserError(f"This method learns from {needs}.", f"{train.name or 'a data set'} without {needs}", remedy)
        first = train[0].image
        if first.is_rgb and all(_is_grey(s.image) for s in (train[0],)):
            first = first.select(C=0)
        self.domain = Domain.of(first.select(T=0))

    def note_nucleus_size(self, sizes: list[float]) -> None:
        """Remember the median diameter of the training nuclei."""
        if sizes:
            self.domain = replace(self.domain, nucleus_size=float(np.median(sizes)))


def measure_diameters(label: np.ndarray) -> list[float]:
    """Diameter in pixels of the disc or ball with the area or volume of each nucleus."""
    sizes = np.bincount(label[label > 0].ravel())
    sizes = sizes[sizes > 0]
    if label.ndim == 2:
        return list(2 * np.sqrt(sizes / np.pi))
    return list(2 * np.cbrt(3 * sizes / (4 * np.pi)))


def _is_grey(image: Image) -> bool:
    pixels = image.to(image.axes.replace("C", "") + "C").pixels
    return bool((pixels[..., :1] == pixels).all())
