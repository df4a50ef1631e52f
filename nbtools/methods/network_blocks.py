"""A network on blocks of an image in a file: scale, faults and magnification are those of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbtools import normalize
from nbtools.image import Image
from nbtools.inference import FixedTile, Inference, ReceptiveField, ScaleSearch, WholeImage
from nbtools.inference.block_store import Found
from nbtools.inference.blocks import Block, BlockNeeds, Place, Work
from nbtools.inference.scale_search import Magnified
from nbtools.inference.tiled import DECODING
from nbtools.io.stored import StoredPixels
from nbtools.methods.domain import Domain
from nbtools.methods.restoration import RestorationWork
from nbtools.normalize import Normalization, Scale
from nbtools.normalize.survey import iterate_channels, read_thin, survey_channel
from nbtools.results import Labels
from nbtools.targets.base import LabelTarget
from nbtools.targets.restored import RestoredTarget

if TYPE_CHECKING:
    from nbtools.methods.keras_method import KerasMethod

DIAMETERS = 3.0  # of nuclei, around a core
USUAL_SIZE = 30.0  # px, of nuclei whose size in training is unknown
UNBOUNDED = 64  # px around a core, where the field of the network has no bound
PIECE = 1024  # px of the middle of a plane that the magnification is chosen on
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


def read_mended(
    pixels: StoredPixels, normalization: Normalization
) -> Callable[[Place], np.ndarray]:
    """How any place of an image is read before it is resampled: faults mended, depth as it is.

    Parameters
    ----------
    pixels : (*space, C).
    normalization : of the model.
    """
    if normalization is not normalize.ROBUST:
        return lambda place: pixels[(*place, slice(None))]
    channels = list(iterate_channels(pixels))
    surveys = [survey_channel(one, even=False) for one in channels]

    def mend(place: Place) -> np.ndarray:
        pairs = zip(surveys, channels, strict=True)
        return np.stack([survey.read(one, place) for survey, one in pairs], axis=-1)

    return mend


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
    """

    method: KerasMethod
    image: Image
    read: Callable[[Place], np.ndarray]
    scale: Scale
    inference: Inference

    @property
    def min_size(self) -> int:
        """In pixels of the image; that of the method counts in those of the magnified one."""
        return int(self.method.decoding_values().get("min_size", 0) / self.zoom**2)

    @property
    def zoom(self) -> float:
        """Magnification at which maps are predicted and decoded."""
        return self.inference.zoom if isinstance(self.inference, Magnified) else 1.0

    @property
    def needs(self) -> BlockNeeds:
        """What a block takes."""
        about = {"restores": False, "channels": self.image.size("C")}
        return find_needs(self.method.field, self.method.domain, **about)

    @property
    def bytes_per_pixel(self) -> float:
        """Of memory: image, maps twice, decoding; of a magnified image, of all its pixels."""
        if self.zoom > 1:
            return self.needs.bytes_per_pixel * self.zoom**2
        maps = self.needs.bytes_per_pixel - bytes_of_pixels(self.image.size("C"))
        return bytes_of_pixels(self.image.size("C")) + maps * self.zoom**2

    @property
    def grid(self) -> tuple[int, ...]:
        """Steps of the network's grid; of a reduced image, in pixels of the image."""
        return tuple(int(np.ceil(step / min(self.zoom, 1))) for step in self.needs.grid)

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive field, and as much as a few nuclei take; in pixels of the image.

        Where the image is magnified, they take fewer; they keep what they have at its own size.
        """
        return tuple(int(np.ceil(reach / min(self.zoom, 1))) for reach in self.needs.halo)

    def __call__(self, block: Block) -> Found:
        """Labels of core and halo, and what is known of each object."""
        pixels = self.read(block.outer)
        maps = self.inference(lambda tile: self.method.run(self.scale.apply(tile)), pixels)
        axes = self.method.domain.axes + "C"
        image = Image(pixels, axes, self.image.spacing, self.image.unit)
        result = self.method.decode_maps(maps, image).result
        return Found(result.image.pixels, spread_values(result))

    def judge(self, sums: dict[str, np.ndarray]) -> None:
        """The result stands."""


def bytes_of_pixels(channels: int) -> int:
    """Bytes that a pixel of a block takes, without its maps: as read, scaled, and as labels.

    Parameters
    ----------
    channels : of the image.
    """
    return 12 + 16 * channels


def find_needs(
    field: ReceptiveField, domain: Domain, *, restores: bool, channels: int
) -> BlockNeeds:
    """What a block of an image takes of a network, before the image is read.

    Parameters
    ----------
    field : of the network.
    domain : of its training.
    restores : whether it restores images; else it finds nuclei, and sees a few around a core.
    channels : of the image.
    """
    # image, scaled and restored or decoded, and maps twice; tiles are planned by what is left then
    taken = bytes_of_pixels(channels) + 12 * field.outputs
    reach = find_reach(field, domain.ndim)
    if restores:
        return BlockNeeds(reach, field.grid, taken)
    size = domain.nucleus_size or USUAL_SIZE
    each = zip(reach, _relative(domain.spacing, domain.ndim), strict=True)
    halo = tuple(int(np.ceil(r + DIAMETERS * size / a)) for r, a in each)
    return BlockNeeds(halo, field.grid, taken + DECODING)


def open_restoration(method: KerasMethod, image: Image) -> RestorationWork:
    """The work of a network that restores, on blocks of an image.

    Parameters
    ----------
    method : with its network, and one scale for all images.
    image : whose pixels are in a file.
    """
    pixels, target = image.to(method.domain.axes + "C").pixels, method.target()
    values = {name: method.decoding_values()[name] for name in target.defaults()}

    def restore(cut: np.ndarray) -> np.ndarray:
        return target.decode(method.infer(cut), **values).image.pixels

    about = {"restores": True, "channels": pixels.shape[-1]}
    needs = find_needs(method.field, method.domain, **about)
    return RestorationWork(pixels, restore, needs.halo, needs.grid, needs.bytes_per_pixel)


def restores_in_blocks(method: KerasMethod) -> bool:
    """Whether what a network makes of a pixel depends on a bounded part of the image alone.

    Parameters
    ----------
    method : that restores images.
    """
    inference, bounded = method.inference(), method.field.radius is not None
    while inference is not None:
        if isinstance(inference, FixedTile):
            return False  # its tiles begin at the corner of the image
        inference = getattr(inference, "inner", None)
    alone = getattr(method.settings, "tta", "none") == "none"
    return bounded and alone and method.normalization.whole_set


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


def open_network(method: KerasMethod, image: Image) -> NetworkWork | None:
    """The work of a network on blocks of an image; None where it needs the image as a whole.

    Parameters
    ----------
    method : with its network.
    image : at the pixel size of the model, whose pixels are in a file.
    """
    inference = method.inference()
    if not can_run_in_blocks(inference):
        return None
    image = image.to(method.domain.axes + "C")
    read, scale = prepare_reading(image.pixels, method.normalization, known=method.scale)
    if isinstance(inference, ScaleSearch):
        middle = tuple(_middle(n, PIECE) for n in image.pixels.shape[:-1])
        inference = inference.settle(lambda tile: method.run(scale.apply(tile)), read(middle))
    return NetworkWork(method, image, read, scale, inference)


def _middle(length: int, wanted: int) -> slice:
    start = max((length - wanted) // 2, 0)
    return slice(start, min(start + wanted, length))


def can_predict(method: KerasMethod, image: Image) -> bool:
    """Whether a network can predict an image block by block; its pixels do not count.

    Parameters
    ----------
    method : with its network.
    image : the header is enough.
    """
    if "T" in image.axes or not can_run_in_blocks(method.inference()):
        return False
    if issubclass(method.Target, RestoredTarget):
        return restores_in_blocks(method) and not method.splits_channels(image)
    return issubclass(method.Target, LabelTarget)


def open_blocks(method: KerasMethod, image: Image) -> Work:
    """The work on each block of an image that a network `can_predict`.

    Parameters
    ----------
    method : with its network.
    image : at the pixel size of the model, whose pixels are in a file.
    """
    if issubclass(method.Target, RestoredTarget):
        return open_restoration(method, image)
    return open_network(method, image)
