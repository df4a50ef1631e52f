"""The interface of all methods: settings, fit, predict, save and load.

Axes, shape and pixel size are kept from image to result.
"""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nbtools import config, io, plausibility, runtime, tasks
from nbtools.config import Settings
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.geometry import equivalent_diameters
from nbtools.image import Image
from nbtools.inference.base import Forecast, Maps
from nbtools.inference.blocks import BlockNeeds, Place, Work
from nbtools.inference.placing import place_results
from nbtools.inference.rescaling import find_zoom, return_maps, zoom_pixels
from nbtools.io.stored import StoredPixels, is_stored
from nbtools.methods import domain, large
from nbtools.methods.domain import Domain
from nbtools.methods.gain import measure_gain
from nbtools.methods.persistence import read_about, write_about
from nbtools.methods.prediction import Prediction
from nbtools.methods.registry import find_row
from nbtools.methods.second_look import finds_the_same
from nbtools.methods.transport import read_files, unpack
from nbtools.plausibility import Finding
from nbtools.results import Labels, Restored, Result
from nbtools.targets.base import Target

if TYPE_CHECKING:
    from nbtools.tasks import Task
    from nbtools.training.settings import History, TrainingPlan

LARGEST_TILE = 10**6  # px along an axis


class Method(ABC):
    """A way to get from images to results; what is known of it stands in the table of methods.

    A subclass gives `Target`, `learn` and `infer`.

    Parameters
    ----------
    settings : the method's `Settings`, or None for the defaults; single settings can be given by
        name.
    """

    name: ClassVar[str] = ""
    Settings: ClassVar[type[Settings]] = Settings
    Target: ClassVar[type[Target]] = Target
    needs: ClassVar[tuple[str, ...]] = ()  # partners that every training image must have
    welcomes: ClassVar[tuple[str, ...]] = ()  # "unlabelled": a training image may lack its partner
    bytes_per_pixel: ClassVar[float] = 40.0  # of memory, where no network says how many
    remarks: tuple[str, ...] = ()  # on the model itself, to be told once
    learns_classes: ClassVar[bool] = False  # of objects, where the training images have them
    draws_by_share: ClassVar[bool] = False  # of several data sets, each as often as it is to be
    looks_at_nuclei = False  # it predicts nuclei that have labels already, one by one
    tiled: ClassVar[bool] = True  # False: an image is looked at as a whole, without tiles
    # task → the target that makes results of it, where one network serves several tasks
    further: ClassVar[Mapping[str, type[Target]]] = {}

    def __init__(self, settings: Settings | None = None, **changes):
        self.settings = (settings or self.Settings()).replace(**changes)
        self.domain = Domain()
        # decoding values chosen on the validation images, where the settings leave them open
        self.tuned: dict = {}
        self.history = None
        self.origin: dict | None = None  # the model whose weights training begins with

    @property
    def task(self) -> Task:
        """What its results are: that of the table, unless the settings say another."""
        return tasks.get(find_row(self.name).task)

    @property
    def rescales(self) -> bool:
        """Whether images are brought to the pixel size of the training."""
        return self.Target.rescales

    # --- what a method is made of

    @abstractmethod
    def learn(
        self, train: DataSet, val: DataSet | None, *, plan: TrainingPlan, history: History
    ) -> History:
        """Learn from data sets whose domain is known; the core of `fit`.

        Parameters
        ----------
        train, val, plan : as for `fit`.
        history : to be filled.

        Returns
        -------
        The history, filled, or another one.
        """

    @abstractmethod
    def infer(self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None) -> Maps:
        """Predict the maps of one image.

        Parameters
        ----------
        pixels : (*space, C) grey values.
        tile : shape of a tile in pixels; None chooses by memory.

        Returns
        -------
        (*space, K) float32 maps to decode, or one such array per output.
        """

    def target(self) -> Target:
        """How maps become results, for the domain and the settings as they are."""
        return self.Target.configure(self.domain, self.settings, **self.target_fields())

    def target_fields(self) -> dict:
        """Fields of the target that neither the domain nor the settings tell."""
        return {}

    def view(self, dataset: DataSet, *, like: DataSet) -> DataSet:
        """The data set as the method learns from it, for instance at another pixel size.

        Parameters
        ----------
        dataset : training or validation images.
        like : training images.
        """
        return dataset

    # --- learning

    def fit(
        self, train: DataSet, val: DataSet | None = None, *, plan: TrainingPlan | None = None
    ) -> History:
        """Learn from a data set.

        Parameters
        ----------
        train : images with the partners that the method needs.
        val : images to choose by, as thresholds and the best epoch; never learned from.
        plan : seed, budget, folder of the checkpoint.

        Raises
        ------
        UserError : no images, or not the partners the method needs.
        """
        training = runtime.load_quietly("nbtools.training")  # loads Keras
        plan, started = plan or training.TrainingPlan(), time.monotonic()
        if plan.folder is not None and not plan.data:
            plan = dataclasses.replace(plan, data=training.identify(train, val))
        if plan.minutes is not None and config.fast_changes(self.name, self.settings):
            plan = dataclasses.replace(plan, minutes=None)  # a smoke run has few steps, not minutes
        train, val = self.begin_fit(train, val)
        history = training.History(stopped="epochs")
        with training.RunLock(plan.checkpoint):
            self.history = self.learn(train, val, plan=plan, history=history)
        if self.history is history:
            history.seconds = time.monotonic() - started
        self.history.warnings = self.describe_doubts(val or train)
        return self.history

    def describe_doubts(self, dataset: DataSet) -> list[Finding]:
        """Find what makes the trained model doubtful.

        Parameters
        ----------
        dataset : validation images, or those of the training where there are none.
        """
        found = plausibility.judge_training(self.history.best)
        gain = measure_gain(self, dataset) if "clean" in self.needs else None
        return found + (plausibility.judge_gain(*gain) if gain else [])

    def begin_fit(
        self, train: DataSet, val: DataSet | None = None
    ) -> tuple[DataSet, DataSet | None]:
        """Settle all that depends on the training images, before learning begins.

        Parameters
        ----------
        train : images with the partners that the method needs.
        val : validation images.

        Returns
        -------
        Both data sets as the method learns from them, see `view`.

        Raises
        ------
        UserError : there are no images, or they lack a partner.
        """
        self.settings = config.shorten(self.name, self.settings)
        domain.require_partners(train, self.needs)
        train, val = self.view(train, like=train), val and self.view(val, like=train)
        self.domain = domain.describe(train, classes=self.list_classes(train))
        self.prepare(train)
        return train, val

    def prepare(self, train: DataSet) -> None:  # noqa: B027
        """Decide what depends on the training images, before learning begins."""

    def list_classes(self, train: DataSet) -> tuple[str, ...]:
        """Names of the classes that are learned; () where there is nothing to tell apart.

        Parameters
        ----------
        train : training images.
        """
        if not self.learns_classes:
            return ()
        known = tuple(train.class_names) if "classes" in self.needs else train.nucleus_classes
        if "boxes" in self.needs:
            known = train.box_classes or known
        return known if len(known) > 1 else ()  # with one class there is nothing to tell apart

    def note_nucleus_size(self, sizes: list[np.ndarray]) -> None:
        """Remember the median diameter of the training nuclei, and how it varies between images.

        Parameters
        ----------
        sizes : diameters in pixels, an array per image.
        """
        known = [one for one in sizes if len(one)]
        if known:
            medians = [float(np.median(one)) for one in known]
            size, span = float(np.median(np.concatenate(known))), domain.find_size_range(medians)
            self.domain = replace(self.domain, nucleus_size=size, size_range=span)

    def start_from(self, source: Method, *, parts: str = "all") -> None:
        """Begin training with the weights of another model in place of random ones.

        Parameters
        ----------
        source : trained model.
        parts : "all", or "encoder" where the model is of another task.

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

    # --- predicting

    def predict(
        self,
        image: Image,
        *,
        tile: tuple[int, ...] | None = None,
        raw: bool = False,
        diameter: float | None = None,
    ) -> Prediction:
        """Predict an image at the pixel size of the training images; the result is on its grid.

        Parameters
        ----------
        image : axes of the method's dimension, with or without T; several channels only if it was
            trained with as many. An array or the path of a file is taken, too: see `io.as_image`.
        tile : shape of a tile in pixels; None chooses by memory.
        raw : keep the maps in the result.
        diameter : of the nuclei of the image, in the unit of its spacing; it takes precedence over
            the spacing.

        Raises
        ------
        UserError : axes, channels or a tile that do not fit the method, or too little memory.
        """
        image = self.as_image(image)
        check_tile(tile, image, tiled=self.tiled)
        if is_stored(image.pixels):
            return large.predict_stored(self, image, diameter=diameter)
        if self.splits_channels(image):
            return self._predict_channels(image, tile=tile, raw=raw)
        image, started = self.check_image(image), time.perf_counter()
        zoom = find_zoom(image, self.domain, diameter=diameter) if self.rescales else None
        needed = self._require_memory(image, zoom, tile=tile)
        frames = [self.infer(pixels, tile=tile) for pixels in self._list_frames(image, zoom)]
        outputs = frames[0]
        if "T" in image.axes:
            outputs = stack_frames(frames)
        result = self.decode_maps(outputs, image, zoom=zoom)
        result.seconds, result.zoom = time.perf_counter() - started, zoom
        result.warnings = self.describe_misfit(image, result, given=diameter is not None)
        result.warnings += self.describe_tiles(needed)
        if raw:
            result.raw = dict(outputs) if isinstance(outputs, Mapping) else {"maps": outputs}
        return result

    def works_in_blocks(self, image: Image) -> bool:
        """Whether an image can be predicted block by block; its pixels do not count."""
        return False

    def block_needs(self, image: Image) -> BlockNeeds | None:
        """What a block of an image takes; None where that depends on its grey values.

        Parameters
        ----------
        image : that `works_in_blocks`; the header is enough.
        """
        return None

    def open_blocks(self, image: Image) -> Work:
        """What is done with each block of an image whose pixels are in a file.

        Parameters
        ----------
        image : that `works_in_blocks`, with the channels and at the pixel size of the method.
        """
        raise large.refuse(self, image)

    def read_mended(self, pixels: StoredPixels) -> Callable[[Place], np.ndarray]:
        """How any place of an image in a file is read, faults mended as by `mend`.

        Parameters
        ----------
        pixels : (*space, C).
        """
        return lambda place: pixels[place]

    def as_image(self, item: object) -> Image:
        """An Image of an array or a path; arrays with the model's dimensions have its axes.

        Parameters
        ----------
        item : see `io.as_image`.
        """
        axes = self.domain.axes + ("C" if self.domain.channels > 1 else "")
        return io.as_image(item, axes=axes, colours=self.domain.channels in (1, 3))

    def forecast(
        self,
        image: Image,
        *,
        tile: tuple[int, ...] | None = None,
        diameter: float | None = None,
    ) -> Forecast | None:
        """Forecast the tiles and the memory of a prediction, without computing it.

        Parameters
        ----------
        image, tile, diameter : as for `predict`.

        Returns
        -------
        Forecast; None where it is unknown, or the image has other axes than the model.
        """
        image = self.as_image(image)
        check_tile(tile, image, tiled=self.tiled)
        if len(image.spatial) != self.domain.ndim:
            return None
        zoom = find_zoom(image, self.domain, diameter=diameter) if self.rescales else None
        return self.forecast_shape(self._zoomed_shape(image, zoom), tile=tile, image=image)

    def forecast_shape(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None, image: Image
    ) -> Forecast | None:
        """Forecast the prediction of an image that is resampled to a shape; None where unknown.

        Parameters
        ----------
        shape : spatial shape at the pixel size of the model.
        tile : shape of a tile in pixels; None chooses by memory.
        image : before it is resampled.
        """
        return None

    def describe_tiles(self, needed: Forecast | None) -> tuple[Finding, ...]:
        """Findings about the tiles that an image was predicted in."""
        return ()

    def describe_misfit(
        self, image: Image, result: Prediction, *, given: bool
    ) -> tuple[Finding, ...]:
        """Find what makes a result doubtful.

        The image and the nuclei found in it are compared with the training images, and with each
        other.

        Parameters
        ----------
        image : as it was predicted.
        result : with the nuclei found; without labels nothing is compared.
        given : whether a diameter of the nuclei was given.
        """
        if result.labels is None:
            return ()
        label = result.labels.select(T=0).to(self.domain.axes).pixels
        pixels = image.select(T=0).to(self.domain.axes + "C").pixels
        calibrated = self.domain.spacing is not None and self.domain.unit == "um"
        scaled = given or (image.spacing_um is not None and calibrated)
        found = [] if scaled else [plausibility.judge_spacing(image, self.domain)]
        sizes = equivalent_diameters(label)
        if len(sizes) >= plausibility.FEW:
            median = float(np.median(sizes))
            factor = float(np.prod(result.zoom or (1.0,))) ** (1 / self.domain.ndim)
            about = {"image": image, "pixels": median, "given": given}
            one = plausibility.judge_size(median * factor, self.domain, **about)
            if one and not given and self._finds_the_same(image, label, median):
                one = None
            found.append(one)
        found += plausibility.judge_grey(domain.describe_grey(pixels), self.domain)
        found += plausibility.judge_objects(pixels, label)
        return tuple(one for one in found if one is not None)

    def _finds_the_same(self, image: Image, label: np.ndarray, median: float) -> bool:
        """Whether nuclei of an unusual size are found alike at the size of the training's."""

        def predict(part: Image, diameter: float) -> np.ndarray:
            again = self.predict(part, diameter=diameter)
            return again.labels.to(self.domain.axes).pixels

        about = {"label": label, "domain": self.domain, "pixels": median}
        return self.rescales and finds_the_same(predict, image.select(T=0), **about)

    def splits_channels(self, image: Image) -> bool:
        """Whether each channel of the image is predicted by itself."""
        return False

    def check_image(self, image: Image) -> Image:
        """The image with the channels the method needs, or a UserError that says what to do."""
        return domain.check_image(image, self.domain)

    def _predict_channels(self, image: Image, **options) -> Prediction:
        """Restored channel by channel."""
        parts = [self.predict(image.select(C=c), **options) for c in range(image.size("C"))]
        pixels = np.stack([p.image.pixels for p in parts], axis=image.axes.index("C"))
        warnings = tuple(dict.fromkeys(w for p in parts for w in p.warnings))
        seconds = sum(p.seconds for p in parts)
        return Prediction(
            Restored(image.replace(pixels=pixels)), seconds=seconds, warnings=warnings
        )

    def _require_memory(
        self, image: Image, zoom: tuple | None, *, tile: tuple[int, ...] | None
    ) -> Forecast | None:
        needed = self.forecast_shape(self._zoomed_shape(image, zoom), tile=tile, image=image)
        if needed is not None and needed.needed > needed.free:
            remedy = "Close other programs, or cut the image."
            if tile:
                remedy = "Leave out --tile, close other programs, or cut the image."
            raise UserError("A prediction must fit into the memory that is free.", needed, remedy)
        return needed

    def _zoomed_shape(self, image: Image, zoom: tuple | None) -> tuple[int, ...]:
        shape = tuple(image.size(axis) for axis in self.domain.axes)
        zoom = zoom or (1.0,) * len(shape)
        return tuple(max(1, round(n * z)) for n, z in zip(shape, zoom, strict=True))

    def _list_frames(self, image: Image, zoom: tuple | None) -> list[np.ndarray]:
        """(*space, C) grey values of each time point, at the pixel size of the model."""
        frames = [image]
        if "T" in image.axes:
            frames = [image.select(T=t) for t in range(image.size("T"))]
        frames = [f.to(self.domain.axes + "C").pixels for f in frames]
        return frames if zoom is None else [zoom_pixels(self.mend(f), zoom) for f in frames]

    def mend(self, pixels: np.ndarray) -> np.ndarray:
        """(*space, C) grey values → the same, faults mended that resampling would spread."""
        return pixels

    # --- decoding

    def turn_to(self, task: str) -> None:
        """Predict results of another task from now on, which the same network serves.

        Parameters
        ----------
        task : one of `further`.
        """
        self.Target = self.further[task]

    def keep_thresholds(self, source: Method) -> None:
        """Decode with the values that were chosen for another model of the same method.

        Parameters
        ----------
        source : the other model.
        """
        self.tuned = dict(source.tuned)

    def decoding_values(self) -> dict:
        """Values to decode with, by name.

        The settings come first, then what was tuned on validation images, then the defaults.
        """
        defaults = self.target().defaults()
        fixed = {name: getattr(self.settings, name, None) for name in defaults}
        fixed = {name: value for name, value in fixed.items() if value is not None}
        return {**defaults, **self.tuned, **fixed}

    def decode(self, maps: Maps, **values: float) -> Result:
        """Decode the maps of one image on their own pixel grid.

        Parameters
        ----------
        maps : (*space, K), or one such array per output.
        values : decoding values by name.
        """
        return self.target().decode(maps, **values)

    def decode_frame(self, maps: Maps, shape: tuple[int, ...], **values: float) -> Result:
        """As `decode`, where the shape of the image is needed as well.

        Parameters
        ----------
        maps : of one time point.
        shape : spatial shape of the image.
        values : decoding values by name.
        """
        return self.decode(maps, **values)

    def decode_maps(
        self, maps: Maps, image: Image, *, zoom: tuple | None = None, **choices: float
    ) -> Prediction:
        """Decode maps, and bring the result to the grid of the image.

        Parameters
        ----------
        maps : (*space, K), or (T, *space, K) of a movie.
        image : that was predicted.
        zoom : factor by which the image was resampled, as of `Prediction`.
        choices : decoding values that take precedence over those of the model.
        """
        started, target = time.perf_counter(), self.target()
        chosen = {**self.decoding_values(), **choices}
        values = {name: chosen[name] for name in target.defaults()}
        frames = unstack_frames(maps) if "T" in image.axes else [maps]
        shape = tuple(image.size(axis) for axis in self.domain.axes)
        found = [self.decode_frame(frame, shape, **values) for frame in frames]
        result = place_results(found, image, zoom=zoom)
        if isinstance(result, Labels):
            result = target.describe_frames(result, frames)
        notes = tuple(filter(None, (target.describe(frame, **values) for frame in frames)))
        seconds = time.perf_counter() - started
        return Prediction(result, seconds=seconds, zoom=zoom, notes=notes)

    def decode_again(self, prediction: Prediction, **choices: float) -> Prediction:
        """Decode the maps of a prediction once more, without the network.

        `method.decode_again(found, threshold=0.4)` changes one value and keeps the others.

        Parameters
        ----------
        prediction : made with `raw=True`.
        choices : decoding values to change, by name.

        Raises
        ------
        UserError : no maps were kept, or a name is no decoding value of the method.
        """
        if "maps" not in prediction.raw or prediction.labels is None:
            raise UserError(
                "Decoding again needs the maps.",
                "a prediction without them",
                "Predict with raw=True.",
            )
        known = self.target().defaults()
        if unknown := [name for name in choices if name not in known]:
            raise UserError(
                "Only decoding values can be changed.",
                ", ".join(unknown),
                f"Known: {', '.join(known) or 'none'}.",
            )
        maps, labels = prediction.raw["maps"], prediction.labels
        again = self.decode_maps(maps, labels, zoom=prediction.zoom, **choices)
        return replace(prediction, result=again.result, notes=again.notes, seconds=again.seconds)

    # --- on disk

    def save(self, folder: str | Path) -> None:
        """Write model.json and what else the method needs into a folder."""
        about = {"method": self.name, "settings": self.settings.to_dict(), "tuned": self.tuned}
        write_about(Path(folder), about | self.describe_model(), domain=self.domain)
        self.save_weights(Path(folder))

    @classmethod
    def load(cls, folder: str | Path, *, weights: str | None = None) -> Method:
        """Read back what `save` wrote; runs no code from the files.

        Parameters
        ----------
        folder : of the model.
        weights : "best" or "last", where other weights are wanted than those that training chose;
            decoding values stay as they were tuned.

        Raises
        ------
        UserError : files missing, damaged, or of another network; weights that were not kept.
        """
        folder, about = Path(folder), read_about(Path(folder))
        method = cls(cls.Settings.from_dict(about["settings"]))
        method.domain = Domain.from_dict(about)
        method.tuned = method.settings.select_known(about.get("tuned", {}))
        method.recall(about)
        method.load_weights(folder)
        if weights is not None:
            method.change_weights(folder, weights)
        return method

    def __reduce__(self) -> tuple:
        """Another process makes it of the files that `save` writes."""
        further = self.further.items()
        turned = next((task for task, target in further if target is self.Target), None)
        return partial(unpack, turned=turned), (self.name, read_files(self.save))

    def recall(self, about: dict) -> None:  # noqa: B027
        """Take what else model.json says; may leave remarks."""

    def describe_model(self) -> dict:
        """Further entries of model.json."""
        return {}

    def save_weights(self, folder: Path) -> None:  # noqa: B027
        """Methods without weights write none."""

    def load_weights(self, folder: Path) -> None:  # noqa: B027
        """Methods without weights read none."""

    def change_weights(self, folder: Path, weights: str) -> None:
        """Load the best or the last weights in place of those that training chose.

        Parameters
        ----------
        folder : that the method was loaded from.
        weights : "best" or "last".

        Raises
        ------
        UserError : the method has no network, or the model did not keep these weights.
        """
        raise UserError(
            "Only a trained network has best and last weights.",
            f"{weights} of {self.name}",
            "Leave out --weights.",
        )


def check_tile(tile: tuple[int, ...] | None, image: Image, *, tiled: bool = True) -> None:
    """A UserError where a tile is not one whole number above 0 for each spatial axis of an image.

    It is one, too, where the method has no tiles.

    Parameters
    ----------
    tile : shape in pixels; None is chosen by memory.
    image : to be predicted.
    tiled : whether the method predicts an image in tiles.
    """
    if tile is None:
        return
    if not tiled:
        raise UserError(
            "A tile must do something: this method looks at an image as a whole.",
            ",".join(map(str, tile)),
            "Leave out the tile.",
            command="Leave out --tile.",
        )
    if len(tile) != len(image.spatial) or not all(0 < n < LARGEST_TILE for n in tile):
        axes = ",".join(image.spatial)
        raise UserError(
            f"A tile has a number of pixels above 0 for each of {axes}.",
            ",".join(map(str, tile)),
            f"Give {len(image.spatial)} numbers, or leave the tile to the memory (auto).",
        )


def stack_frames(frames: list[Maps]) -> Maps:
    """Maps of time points → (T, *space, K), output by output, on the finest of their grids."""
    if isinstance(frames[0], Mapping):
        return {name: np.stack([frame[name] for frame in frames]) for name in frames[0]}
    shapes = {frame.shape[:-1] for frame in frames}
    if len(shapes) > 1:
        frames = [return_maps(frame, max(shapes)) for frame in frames]
    return np.stack(frames)


def unstack_frames(maps: Maps) -> list[Maps]:
    """(T, *space, K), output by output → maps of each time point."""
    if not isinstance(maps, Mapping):
        return list(maps)
    count = len(next(iter(maps.values())))
    return [{name: array[t] for name, array in maps.items()} for t in range(count)]
