"""What every method is: settings in, fit, predict, save, load; axes, shape and pixel size kept from
image to result.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nbtools import config, io, runtime
from nbtools.config import Settings
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods import _rescale, domain
from nbtools.methods.domain import Domain
from nbtools.results import Boxes, Classes, Labels, Points, Restored, Result
from nbtools.targets import classes

if TYPE_CHECKING:
    from nbtools.training import History, TrainingPlan


@dataclass
class Prediction:
    """What a method finds in one image.

    Parameters
    ----------
    result : see `nbtools.results`.
    raw : name → array (*space, K), the network's maps before they were decoded, on the pixel grid
        of the model.
    zoom : how many times as many pixels, along each spatial axis, the network saw; None where it
        saw the image as it is.
    warnings : in what the image is unlike those the model was trained on.
    notes : what was decided in decoding and should be known, as of regions without a centre.
    """

    result: Result
    raw: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
    zoom: tuple[float, ...] | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> Image | None:
        """The label image; None where the result is something else."""
        return self.result.image if isinstance(self.result, Labels) else None

    @property
    def image(self) -> Image | None:
        """The restored image; None where the result is something else."""
        return self.result.image if isinstance(self.result, Restored) else None

    @property
    def points(self) -> Points | None:
        """The points found; None where the result is something else."""
        return self.result if isinstance(self.result, Points) else None

    @property
    def boxes(self) -> Boxes | None:
        """The boxes found; None where the result is something else."""
        return self.result if isinstance(self.result, Boxes) else None

    @property
    def classes(self) -> Mapping[int, str] | Classes | None:
        """Label → class of its nucleus, or the class of the image; None where there are none."""
        if isinstance(self.result, Classes):
            return self.result
        found = getattr(self.result, "classes", None)
        return None if found == () else found

    @property
    def probability(self) -> Mapping[int, float] | None:
        """Label → probability of its nucleus' class; None where there are no classes."""
        return getattr(self.result, "probability", None)


class Method(ABC):
    """A way to get from images to results. The table of methods holds what is known of it; the
    class repeats none of that.

    Parameters
    ----------
    settings : the method's `Settings`, or None for the defaults; single settings can be given by
        name.
    """

    name: ClassVar[str] = ""
    Settings: ClassVar[type[Settings]] = Settings
    learns_classes: ClassVar[bool] = False  # of single nuclei, where the training images have them
    rescales: ClassVar[bool] = (
        True  # False where another pixel size would change the result itself, as in restoration
    )

    def __init__(self, settings: Settings | None = None, **changes):
        self.settings = (settings or self.Settings()).replace(**changes)
        self.domain = Domain()
        # decoding values chosen on the validation images, where the settings leave them open
        self.tuned: dict = {}
        self.history = None
        self.origin: dict | None = None  # the model whose weights training begins with

    @abstractmethod
    def fit(
        self, train: DataSet, val: DataSet | None = None, *, plan: TrainingPlan | None = None
    ) -> History:
        """Learn from a data set; returns a `training.History`. `val` serves for choosing
        thresholds, never for learning.
        """

    @abstractmethod
    def predict_space(
        self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> np.ndarray:
        """(*space, C) grey values of one image → (*space, K) float32 maps, before decoding."""

    @abstractmethod
    def decode(self, maps: np.ndarray, **choices) -> np.ndarray:
        """(*space, K) maps → (*space) int32 labels, or (*space, C) restored grey values."""

    def predict(
        self,
        image: Image,
        *,
        tile: tuple[int, ...] | None = None,
        raw: bool = False,
        diameter: float | None = None,
    ) -> Prediction:
        """Apply the method to an image; one of another pixel size than the training images is
        brought to theirs, and its labels back.

        image : axes of the method's dimension, with or without T; several channels only if it was
            trained with as many.
        tile : shape of a tile in pixels; None chooses by memory.
        raw : keep the maps in the result.
        diameter : of the image's nuclei, in the unit of its spacing, where that is to count and not
            the spacing.

        Raises
        ------
        UserError : axes or channels that the method cannot take.
        """
        image = self.check_image(image)
        started = time.perf_counter()
        zoom = _rescale.find_zoom(image, self.domain, diameter=diameter) if self.rescales else None
        frames = (
            [image.select(T=t) for t in range(image.size("T"))] if "T" in image.axes else [image]
        )
        seen = (
            _rescale.zoom_pixels(frame.to(self.domain.axes + "C").pixels, zoom) for frame in frames
        )
        maps = [self.predict_space(pixels, tile=tile) for pixels in seen]
        maps = np.stack(maps) if "T" in image.axes else maps[0]
        result = self.decode_maps(maps, image)
        result.seconds, result.zoom = time.perf_counter() - started, zoom
        result.warnings = self._judge(image, result, scaled=diameter is not None)
        if raw:
            result.raw = {"maps": maps}
        return result

    def forecast(
        self, image: Image, *, tile: tuple[int, ...] | None = None, diameter: float | None = None
    ) -> object | None:
        """What a prediction of this image will need (`tiling.Forecast`); None where nobody
        knows.
        """
        return None

    def decode_again(self, prediction: Prediction, **choices) -> Prediction:
        """Decode the maps of a prediction made with `raw=True` once more, without the network:
        `decode_again(found, threshold=0.4)`.

        Raises
        ------
        UserError : no maps were kept, or a choice that is no decoding value of the method.
        """
        if "maps" not in prediction.raw or prediction.labels is None:
            raise UserError(
                "Decoding again needs the maps.",
                "a prediction without them",
                "Predict with raw=True.",
            )
        if unknown := [name for name in choices if name not in self.tunable()]:
            raise UserError(
                "Only decoding values can be changed.",
                ", ".join(unknown),
                f"Known: {', '.join(self.tunable()) or 'none'}.",
            )
        result = self.decode_maps(prediction.raw["maps"], prediction.labels, **choices)
        return replace(prediction, result=result.result, notes=result.notes, seconds=result.seconds)

    def decode_maps(self, maps: np.ndarray, image: Image, **choices) -> Prediction:
        """Maps (*space, K), or (T, *space, K), → what they say, on the grid of the image; `choices`
        stand above the model's own.
        """
        started = time.perf_counter()
        plain = image.select(C=0).to("T" * ("T" in image.axes) + self.domain.axes)
        values = {**self.choices(), **choices}
        result = self.wrap(
            plain, _rescale.decode_maps(lambda m: self.decode(m, **values), maps, like=plain)
        )
        if (channels := self.class_channels()) and "T" not in image.axes:
            share = maps[..., slice(*channels)]
            names, probability = classes.decode(
                result.labels.pixels, share, names=self.domain.classes
            )
            result.result = replace(result.result, classes=names, probability=probability)
        result.seconds = time.perf_counter() - started
        return result

    def _judge(self, image: Image, result: Prediction, *, scaled: bool) -> tuple[str, ...]:
        """Warnings where the image or the nuclei found in it are unlike the training's."""
        if result.labels is None:
            return ()
        still = result.labels.select(T=0).pixels
        factor = float(np.prod(result.zoom or (1.0,))) ** (1 / self.domain.ndim)
        sizes = [d * factor for d in measure_diameters(still)]
        scaled = scaled or (
            image.spacing_um is not None
            and self.domain.spacing is not None
            and self.domain.unit == "um"
        )
        return domain.judge_image(image, self.domain, sizes=sizes, scaled=scaled)

    def wrap(self, like: Image, pixels: np.ndarray) -> Prediction:
        """Put decoded pixels into an image with the axes, spacing and name of the input."""
        return Prediction(Labels(like.replace(pixels=pixels, channels=())))

    def class_channels(self) -> tuple[int, int] | None:
        """First and end of the channels of the maps that are probabilities of the classes; None
        where the model tells none apart.
        """
        return None

    def choices(self) -> dict:
        """Decoding values: what the settings fix, else what was tuned on validation images, else
        the method's own defaults.
        """
        declared = {
            d.name: getattr(self.settings, d.name)
            for d in self.settings.declarations()
            if d.name in self.tunable()
        }
        return {
            **self.tunable(),
            **self.tuned,
            **{k: v for k, v in declared.items() if v is not None},
        }

    def tunable(self) -> dict:
        """Names and default values of what `decode` takes."""
        return {}

    def check_image(self, image: Image) -> Image:
        """The image with the channels the method needs, or a UserError that says what to do."""
        domain = self.domain
        if len(image.spatial) != domain.ndim:
            remedy = (
                "Choose one plane, or train on volumes."
                if domain.ndim == 2
                else "Give a z-stack, or train on planes."
            )
            raise UserError(
                f"This model needs images with axes {domain.axes}.",
                f"{image.name or 'image'} with axes {image.axes}",
                remedy,
            )
        if image.is_rgb and domain.channels == 1 and _is_grey(image):
            image = image.select(C=0)
        if image.size("C") != domain.channels:
            received = (
                f"{image.name or 'image'} with "
                f"{image.size('C')}{' (colour)' if image.is_rgb else ''}"
            )
            remedy = (
                "Choose one with --channel."
                if domain.channels == 1
                else "Give images with the channels of the training set."
            )
            raise UserError(f"This model needs {domain.channels} channel(s).", received, remedy)
        return image

    def save(self, folder: str | Path) -> None:
        """Write model.json and what else the method needs into a folder."""
        folder = Path(folder)
        about = {
            "method": self.name,
            "settings": self.settings.to_dict(),
            "tuned": self.tuned,
            **asdict(self.domain),
        }
        io.write_json(
            folder / "model.json",
            about | {"axes": self.domain.axes, "versions": runtime.versions()} | self.extra(),
        )
        self.save_weights(folder)

    @classmethod
    def load(cls, folder: str | Path, *, weights: str | None = None) -> Method:
        """Read back what `save` wrote; runs no code from the files.

        weights : "best" or "last", where not those are wanted that training was told to keep;
            decoding values stay as they were tuned.

        Raises
        ------
        UserError : files missing, damaged, or of another network; weights that were not kept.
        """
        folder = Path(folder)
        about = json.loads((folder / "model.json").read_text("utf-8"))
        method = cls(cls.Settings.from_dict(about["settings"]))
        method.domain, method.tuned = Domain.from_dict(about), about.get("tuned", {})
        method.load_weights(folder)
        if weights is not None:
            method.change_weights(folder, weights)
        return method

    def extra(self) -> dict:
        """Further entries of model.json."""
        return {}

    def save_weights(self, folder: Path) -> None:  # noqa: B027
        """Methods without weights write none."""

    def load_weights(self, folder: Path) -> None:  # noqa: B027
        """Methods without weights read none."""

    def change_weights(self, folder: Path, weights: str) -> None:
        """Take the "best" or the "last" weights of the folder that the method was loaded from."""
        raise UserError(
            "Only a trained network has best and last weights.",
            f"{weights} of {self.name}",
            "Leave out --weights.",
        )

    def start_fit(self, train: DataSet, needs: str | None) -> None:
        """What every fit begins with: rehearsal settings, a look at the first image, a refusal of
        what cannot be learned from.
        """
        self.settings = config.shorten(self.name, self.settings)
        if not len(train):
            raise UserError(
                "Training needs at least one image.",
                f"{train.name or 'data set'} without images",
                "Check the folder with `nbtools check`.",
            )
        if needs and not train.has(needs):
            remedy = f"Put one file for each image into the folder {needs}/."
            raise UserError(
                f"This method learns from {needs}.",
                f"{train.name or 'a data set'} without {needs}",
                remedy,
            )
        first = train[0].image
        if first.is_rgb and all(_is_grey(s.image) for s in (train[0],)):
            first = first.select(C=0)
        known = train.nucleus_classes if self.learns_classes else ()
        known = known if len(known) > 1 else ()  # with one class there is nothing to tell apart
        self.domain = replace(
            Domain.of(first.select(T=0)), grey=self._look_at_grey(train), classes=known
        )

    def _look_at_grey(self, train: DataSet) -> dict:
        """Ranges of what describes the grey values of the training images; of a regular choice
        where there are many.
        """
        chosen = np.unique(np.linspace(0, len(train) - 1, domain.LOOKED_AT).round().astype(int))
        images = (train.image(int(i)).select(T=0) for i in chosen)
        return domain.find_ranges(
            [domain.describe_grey(image.to(image.spatial + "C").pixels) for image in images]
        )

    def note_nucleus_size(self, sizes: list[list[float]]) -> None:
        """Remember the median diameter of the training nuclei, and how it varies between images.
        sizes : a list for each image.
        """
        medians = [float(np.median(one)) for one in sizes if len(one)]
        if medians:
            median = float(np.median(np.concatenate([one for one in sizes if len(one)])))
            self.domain = replace(
                self.domain, nucleus_size=median, size_range=domain.find_size_range(medians)
            )

    def start_from(self, source: Method) -> None:
        """Begin training with the weights of another model in place of random ones.

        Raises
        ------
        UserError : the method has no weights, or the models differ in their network.
        """
        remedy = "Train it without --init."
        raise UserError(
            "Only a method with weights can begin with those of a model.",
            f"{self.name} from {source.name}",
            remedy,
        )


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
