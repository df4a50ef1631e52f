"""The classical detector: maxima of the Laplacian of Gaussian, at scales of a nucleus.

Lindeberg 1998, doi:10.1023/A:1008045108935. As `skimage.feature.blob_log`, with three differences.
The scales follow from the size of the nuclei, which is estimated where it is not known. In volumes
they count in the unit of the pixel size. And heights are compared with the usual one of the image,
so that a threshold means the same whatever the exposure; what noise alone can make is left out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, final

import numpy as np
from scipy import ndimage

from nbtools import runtime, tasks
from nbtools.config import Settings, setting
from nbtools.data import DataSet, Sample
from nbtools.geometry import centroids, equivalent_diameters
from nbtools.image import Image
from nbtools.inference.blocks import BlockNeeds, Place
from nbtools.inference.rescaling import require_spacing
from nbtools.io.stored import is_stored
from nbtools.methods import large_blobs
from nbtools.methods.large_blobs import BlobWork
from nbtools.methods.large_threshold import GreySource, forecast_needs
from nbtools.methods.local_threshold import estimate_diameter, find_field, subtract_threshold
from nbtools.methods.untrained import Untrained
from nbtools.normalize.prepare import prepare_channels
from nbtools.normalize.survey import find_box, survey_channel
from nbtools.populations import measure_noise, thin
from nbtools.results import Grid, Points
from nbtools.targets.blobs import BlobTarget, measure_blobs
from nbtools.targets.peaks import find_peaks

if TYPE_CHECKING:
    from nbtools.inference import Forecast
    from nbtools.methods.method import Prediction
    from nbtools.training.settings import History, TrainingPlan

FIT_IMAGES = 24
SIZES = (1.0, 1.3)  # times the median diameter, tried on the training images
SMALLEST = 3.0  # px, diameter of a blob that pixels can show
SCALES = (0.75, 0.95, 1.2)  # diameters that are looked for, over that of a nucleus
CERTAIN = 6.0  # standard deviations of the noise that a blob must exceed
DARK = 0.6  # where in the range of grey values the median lies, from which on nuclei are dark


@dataclass(frozen=True)
class BlobLogSettings(Settings, parameters=BlobTarget.parameters):
    diameter: float | None = setting(
        None,
        unit="px",
        min=2.0,
        max=1000.0,
        help=("Diameter of a nucleus; empty: estimated in each image, or chosen by train."),
    )
    nuclei: str = setting(
        "auto",
        choices=("auto", "bright", "dark"),
        help="Whether nuclei are brighter or darker than their surroundings.",
    )


@final
class BlobLog(Untrained):
    """Laplacian of Gaussian: blobs of the size of a nucleus."""

    Settings, Target = BlobLogSettings, BlobTarget
    bytes_per_pixel = 80.0  # of some twenty arrays of 32 bit at most

    def learn(
        self, train: DataSet, val: DataSet | None, *, plan: TrainingPlan, history: History
    ) -> History:
        """Choose diameter, threshold and overlap on training images that have points or labels.

        Parameters
        ----------
        train : images.
        val : is not used.
        plan : its seed chooses the images.
        history : gets the F1 of the choice as `best["train_f1"]`.
        """
        if train.has("labels") or train.has("centres"):
            history.best = {"train_f1": self._choose(train, seed=plan.seed)}
        return history

    def predict(
        self,
        image: Image,
        *,
        tile: tuple[int, ...] | None = None,
        raw: bool = False,
        diameter: float | None = None,
    ) -> Prediction:
        """Predict an image; a diameter says which blobs are looked for where no training has.

        Parameters
        ----------
        image, tile, raw : as for every method.
        diameter : of the nuclei of the image, in the unit of its spacing.

        Raises
        ------
        UserError : a diameter, and an image of unknown pixel size.
        """
        if diameter is None or self.domain.nucleus_size is not None:
            return super().predict(image, tile=tile, raw=raw, diameter=diameter)
        image, sized = self.as_image(image), copy.copy(self)
        finest = min(self.domain.spacing or require_spacing(image))
        sized.settings = self.settings.replace(diameter=diameter / finest)
        return super(BlobLog, sized).predict(image, tile=tile, raw=raw)

    def forecast(
        self,
        image: Image,
        *,
        tile: tuple[int, ...] | None = None,
        diameter: float | None = None,
    ) -> Forecast | None:
        """As for every method; a diameter resamples no image where training has said no size."""
        known = diameter if self.domain.nucleus_size is not None else None
        return super().forecast(image, tile=tile, diameter=known)

    def infer(self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None) -> np.ndarray:
        """Measure the blobs of an image, which is looked at as a whole.

        Parameters
        ----------
        pixels : (*space, 1) grey values.
        tile : None; there are none.

        Returns
        -------
        (*space, 2) float32 height over the usual one, 0 where noise could have made it; diameter in
        pixels of the finest axis.
        """
        maps = np.zeros((*pixels.shape[:-1], 2), np.float32)
        maps[..., 1] = SMALLEST
        inside = find_field(pixels[..., 0])
        grey = prepare_channels(pixels[inside][..., :1])[0][..., 0].astype(np.float32)
        grey = -grey if self._is_dark(thin(grey)) else grey
        spacing = self.target().relative_spacing
        diameter = self._find_diameter(grey, spacing)
        if diameter is None or grey.min() == grey.max():
            return maps
        diameters = tuple(max(SMALLEST, factor * diameter) for factor in SCALES)
        found = measure_blobs(grey, diameters=diameters, spacing=spacing)
        noise = CERTAIN * measure_noise(grey) * _noise_of_blobs(diameters[0], spacing, grey.ndim)
        found[..., 0] = np.where(found[..., 0] > noise, found[..., 0], 0)
        usual = find_usual_height(found[..., 0])
        found[..., 0] /= usual or 1.0
        maps[inside] = found
        return maps

    def works_in_blocks(self, image: Image) -> bool:
        """All but movies: size and height of nuclei are decided once for the whole image."""
        return "T" not in image.axes

    def block_needs(self, image: Image) -> BlockNeeds | None:
        """Of volumes in which the size of nuclei is to be found, as their middle tells."""
        known = self.settings.diameter or self.settings.nuclei == "dark"
        if self.domain.ndim < 3 or known or not is_stored(image.pixels):
            return None
        pixels, free = image.select(C=0).to(self.domain.axes).pixels, runtime.memory().available
        about = {"smoothing": 1.0, "spacing": self.target().relative_spacing}
        needs = forecast_needs(pixels, free=float(free), **about)
        return needs and replace(needs, bytes_per_pixel=self.bytes_per_pixel)

    def open_blocks(self, image: Image) -> BlobWork:
        """Blobs of each block; in all of them the usual height, and what lies too near."""
        pixels, target = image.select(C=0).to(self.domain.axes).pixels, self.target()
        box, free = find_box(pixels), float(runtime.memory().available)
        inner, spacing = pixels.view(box), target.relative_spacing
        mended = survey_channel(inner)
        grey = GreySource(partial(mended.read, inner), inner.shape, ())
        sample, _ = large_blobs.sample_grey(grey, inner.shape, free=free)
        values = {name: self.decoding_values()[name] for name in target.defaults()}
        choose = partial(_choose_blobs, target, values=values)
        if sample.low == sample.high:
            return BlobWork(None, box, (), 0.0, spacing, choose)
        if self._is_dark(sample.some):
            grey = replace(grey, read=partial(_read_negative, grey.read))
        diameter = self.settings.diameter
        if not diameter:
            diameter = large_blobs.find_diameter(grey.blur(1.0), spacing=spacing, free=free)
        if diameter is None:
            return BlobWork(None, box, (), 0.0, spacing, choose)
        diameters = tuple(max(SMALLEST, factor * diameter) for factor in SCALES)
        noise = CERTAIN * sample.measure_noise()
        noise *= _noise_of_blobs(diameters[0], spacing, pixels.ndim)
        return BlobWork(grey, box, diameters, noise, spacing, choose)

    def _is_dark(self, some: np.ndarray) -> bool:
        if self.settings.nuclei != "auto":
            return self.settings.nuclei == "dark"
        low, middle, high = np.percentile(some, (1, 50, 99))
        return bool(high > low and (middle - low) / (high - low) > DARK)

    def _find_diameter(self, grey: np.ndarray, spacing: tuple[float, ...] | None) -> float | None:
        """Of the settings, or of the image; None where it shows no nuclei."""
        if self.settings.diameter:
            return self.settings.diameter
        inside = subtract_threshold(ndimage.gaussian_filter(grey, 1.0), spacing=spacing) > 0
        return estimate_diameter(inside, spacing=spacing) if inside.any() else None

    def _learned_diameter(self) -> float | None:
        """Median diameter of the training nuclei, in pixels of the finest axis."""
        size, spacing = self.domain.nucleus_size, self.target().relative_spacing
        return size and size * float(np.prod(spacing or 1.0)) ** (1 / self.domain.ndim)

    def _choose(self, train: DataSet, seed: int) -> float:
        """Take the diameter and the decoding values of the highest F1; returns that."""
        given, search = self.settings, runtime.load_quietly("nbtools.training.threshold_search")
        order = np.random.default_rng(seed).permutation(len(train))
        known = (s for s in (train[int(i)] for i in order) if s.label or s.centres is not None)
        samples = list(islice(known, FIT_IMAGES))
        labels = [s.label.select(T=0).to(self.domain.axes).pixels for s in samples if s.label]
        self.note_nucleus_size([equivalent_diameters(label) for label in labels])
        truth = [self._points_of(sample) for sample in samples]
        images = [self.check_image(s.image).select(T=0) for s in samples]
        pixels = [image.to(self.domain.axes + "C").pixels for image in images]
        target, size, best = self.target(), self._learned_diameter(), None
        sizes = [size * factor for factor in SIZES] if size else []
        for diameter in (None, *sizes):
            self.settings = given.replace(diameter=given.diameter or diameter)
            found = list(map(self.infer, pixels))

            def score(values: dict, found: list = found) -> float:
                results = [target.decode(maps, **values) for maps in found]
                return tasks.DETECTION.tuning_score(list(zip(truth, results, strict=True)))

            about = {"score": score, "seconds": 20}
            values, top = search.coordinate_search(
                self.decoding_values(), target.candidates(), **about
            )
            if best is None or top > best[0]:
                best = (top, self.settings, values)
        _, self.settings, self.tuned = best
        return best[0]

    def _points_of(self, sample: Sample) -> Points:
        """The true points of a sample: its centres, or the centroids of its labels."""
        grid = Grid.of(sample.image)
        if sample.centres is not None:
            return Points(sample.centres, grid)
        return Points(centroids(sample.label.select(T=0).to(self.domain.axes).pixels), grid)


def find_usual_height(height: np.ndarray) -> float:
    """Height of the blobs that half of the sum of all heights belongs to; 0 where there are none.

    Many weak maxima change it little, and so do a few that are far too bright.

    Parameters
    ----------
    height : (*space), 0 or below where there is no blob.

    Examples
    --------
    >>> find_usual_height(np.array([[9.0, 0, 1, 0, 8, 0, 1, 0, 1]]))
    8.0
    """
    return _find_usual(find_peaks(height, threshold=0.0)[1])


def _find_usual(heights: np.ndarray) -> float:
    """As `find_usual_height`, of the heights of maxima, the highest first."""
    if not len(heights):
        return 0.0
    total = np.cumsum(heights)
    return float(heights[np.searchsorted(total, total[-1] / 2)])


def _choose_blobs(
    target: BlobTarget,
    places: np.ndarray,
    height: np.ndarray,
    diameter: np.ndarray,
    *,
    values: dict[str, float],
) -> tuple[np.ndarray, np.ndarray]:
    """The places of the blobs that count, and their scores, of all maxima, the highest first."""
    height = height / (_find_usual(height) or 1.0)
    return target.choose(places, height, diameter=diameter, **values)


def _read_negative(read: Callable[[Place], np.ndarray], place: Place) -> np.ndarray:
    """Grey values of a place, where nuclei are dark."""
    return -read(place).astype(np.float32)


def _noise_of_blobs(diameter: float, spacing: tuple[float, ...] | None, ndim: int) -> float:
    """Standard deviation of the height of blobs in white noise of standard deviation 1."""
    side = int(2 * np.ceil(2 * diameter) + 1)
    point = np.zeros((side,) * ndim, np.float32)
    point[(side // 2,) * ndim] = 1
    height = measure_blobs(point, diameters=(diameter,), spacing=spacing)[..., 0]
    return float(np.sqrt((height.astype(float) ** 2).sum()))
