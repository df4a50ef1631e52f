"""A network on blocks of an image in a file: scale, faults and magnification are those of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from nbtools import normalize
from nbtools.image import Image
from nbtools.inference import Inference, ReceptiveField, ScaleSearch, WholeImage
from nbtools.inference.block_store import Found
from nbtools.inference.blocks import Block, Place
from nbtools.inference.rescaling import zoom_pixels
from nbtools.inference.tiled import DECODING
from nbtools.io.stored import StoredPixels
from nbtools.normalize import Normalization, Scale
from nbtools.normalize.survey import iterate_channels, read_thin, survey_channel
from nbtools.results import Labels

if TYPE_CHECKING:
    from nbtools.methods.keras_method import KerasMethod

DIAMETERS = 3.0  # of nuclei, around a core
USUAL_SIZE = 30.0  # px, of nuclei whose size in training is unknown
UNBOUNDED = 64  # px around a core, where the field of the network has no bound
PIECE = 1024  # px of the middle of a plane that the magnification is chosen on
MULTIPLES, NEARLY = 8, 1e-4  # of the grid that are tried, and how near to the best is enough
SAMPLE = normalize.SAMPLE


def can_run_in_blocks(inference: Inference) -> bool:
    """Whether an inference looks at parts of an image only."""
    while inference is not None:
        if isinstance(inference, WholeImage):
            return False
        inference = getattr(inference, "inner", None)
    return True


def prepare_reading(
    pixels: StoredPixels, normalization: Normalization, *, known: Scale | None
) -> tuple[Callable[[Place], np.ndarray], Scale]:
    """How any place of an image is read, faults mended, and the scale of its grey values.

    Parameters
    ----------
    pixels : (*space, C).
    normalization : of the model.
    known : scale of the training set, where there is one for all images.
    """

    def read(place: Place) -> np.ndarray:
        return pixels[(*place, slice(None))]

    if normalization.whole_set:
        return read, known
    if normalization is not normalize.ROBUST:
        return read, normalization.measure(read_thin(pixels, SAMPLE))
    channels = list(iterate_channels(pixels))
    surveys = [survey_channel(one) for one in channels]

    def mend(place: Place) -> np.ndarray:
        pairs = zip(surveys, channels, strict=True)
        return np.stack([survey.read(one, place) for survey, one in pairs], axis=-1)

    return mend, normalize.to_scale([survey.scaled for survey in surveys])


@dataclass(frozen=True, eq=False)
class NetworkWork:
    """The work on a block: maps, and what they are decoded to, with scores and classes.

    Parameters
    ----------
    method : with its network.
    image : header of the image, one time point, channels last.
    read : place → (*place, C) mended grey values.
    scale : of these.
    inference : how the network runs, at one magnification.
    zoom : factor to the pixel size of the model; None for 1.
    """

    method: KerasMethod
    image: Image
    read: Callable[[Place], np.ndarray]
    scale: Scale
    inference: Inference
    zoom: tuple[float, ...] | None

    @property
    def min_size(self) -> int:
        values = self.method.decoding_values()
        return int(values.get("min_size", 0) / prod(self.zoom or (1.0,)))

    @property
    def bytes_per_pixel(self) -> float:
        """Of memory: image, maps twice, decoding; more where the image is enlarged."""
        field, factor = self.method.field, prod(self.zoom or (1.0,))
        channels = self.image.size("C")
        return 12 + 12 * channels + factor * (4 * channels + DECODING + 12 * field.outputs)

    @property
    def grid(self) -> tuple[int, ...]:
        """Steps of the image that are steps of the network's grid once it is resampled."""
        field, zoom = self.method.field, self.zoom or (1.0,) * self.method.domain.ndim
        return tuple(find_grid(n, z) for n, z in zip(field.grid, zoom, strict=True))

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive field, and as much as a few nuclei take."""
        domain, field = self.method.domain, self.method.field
        size = domain.nucleus_size or USUAL_SIZE
        ratio = _relative(domain.spacing, domain.ndim)
        reach = find_reach(field, domain.ndim)
        zoom = self.zoom or (1.0,) * domain.ndim
        each = zip(reach, ratio, zoom, strict=True)
        return tuple(int(np.ceil((r + DIAMETERS * size / a) / z)) for r, a, z in each)

    def __call__(self, block: Block) -> Found:
        """Labels of core and halo, and what is known of each object."""
        cut = self.read(block.outer)
        pixels = zoom_pixels(cut, self.zoom)
        maps = self.inference(lambda tile: self.method.run(self.scale.apply(tile)), pixels)
        axes = self.method.domain.axes + "C"
        image = Image(cut, axes, self.image.spacing, self.image.unit)
        result = self.method.decode_maps(maps, image, zoom=self.zoom).result
        return Found(result.image.pixels, spread_values(result))

    def judge(self, sums: dict[str, np.ndarray]) -> None:
        """The result stands."""


def find_grid(step: int, zoom: float) -> int:
    """The number of pixels that resampling turns into a multiple of a step, as nearly as can be.

    Parameters
    ----------
    step : of the grid of a network.
    zoom : factor of the number of pixels.

    Examples
    --------
    >>> find_grid(16, 1.0), find_grid(16, 0.5), find_grid(16, 0.75)
    (16, 32, 64)
    """
    counts = np.arange(1, MULTIPLES + 1)
    pixels = np.maximum(np.rint(counts * step / zoom), 1)
    off = np.abs(pixels * zoom / (counts * step) - 1)
    return int(pixels[np.argmax(off <= off.min() + NEARLY)])


def find_reach(field: ReceptiveField, ndim: int) -> tuple[int, ...]:
    """Pixels around a place that what a network says of it depends on."""
    return field.radius or (UNBOUNDED,) * ndim


def _relative(spacing: tuple[float, ...] | None, ndim: int) -> tuple[float, ...]:
    spacing = spacing or (1.0,) * ndim
    mean = float(np.exp(np.log(spacing).mean()))
    return tuple(s / mean for s in spacing)


def spread_values(result: Labels) -> dict[str, np.ndarray]:
    """Scores and classes of objects as arrays over their pixels, so that blocks can be summed."""
    label, values = result.image.pixels, {}
    known = {"score": result.score, "probability": result.probability}
    names = sorted(set((result.classes or {}).values()))
    for name in names:
        known[f"class {name}"] = {n: float(c == name) for n, c in result.classes.items()}
    for name, of_objects in known.items():
        if of_objects is not None:
            table = np.zeros(int(label.max(initial=0)) + 1, np.float32)
            table[list(of_objects)] = list(of_objects.values())
            values[name] = table[label]
    return values


def open_network(
    method: KerasMethod, image: Image, *, zoom: tuple[float, ...] | None
) -> NetworkWork | None:
    """The work of a network on blocks of an image; None where it needs the image as a whole.

    Parameters
    ----------
    method : with its network.
    image : whose pixels are in a file.
    zoom : factor to the pixel size of the model; None for 1.
    """
    inference = method.inference()
    if not can_run_in_blocks(inference):
        return None
    image = image.to(method.domain.axes + "C")
    read, scale = prepare_reading(image.pixels, method.normalization, known=method.scale)
    if isinstance(inference, ScaleSearch):
        middle = tuple(_middle(n, PIECE) for n in image.pixels.shape[:-1])
        piece = zoom_pixels(read(middle), zoom)
        inference = inference.settle(lambda tile: method.run(scale.apply(tile)), piece)
    return NetworkWork(method, image, read, scale, inference, zoom)


def _middle(length: int, wanted: int) -> slice:
    start = max((length - wanted) // 2, 0)
    return slice(start, min(start + wanted, length))
