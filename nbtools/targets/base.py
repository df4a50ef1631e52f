"""What a target is: how truth becomes tensors to learn, and tensors a result.

NumPy only, so that every target is tested by an oracle round trip in milliseconds: truth, encoded
and decoded again, must come back.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nbtools.config import Settings, setting
from nbtools.image import Image
from nbtools.patches import Example
from nbtools.results import Labels, Result, join_frames, score_labels
from nbtools.targets import classes as class_targets

if TYPE_CHECKING:
    from nbtools.methods.domain import Domain

# px; sizes below which objects may be removed, tried on validation images
SMALLEST = {2: (0, 10, 20, 30, 45), 3: (0, 20, 45, 90, 180)}

FROM_DOMAIN = ("ndim", "channels", "spacing", "classes")
Maps = np.ndarray | dict[str, np.ndarray]


@dataclass(frozen=True)
class Parameter:
    """A value that decoding takes, declared once for settings, forms, threshold search and reports.

    Parameters
    ----------
    default : where neither the settings nor validation images say otherwise.
    candidates : values to try on validation images; by number of spatial axes where they differ;
        () where none are tried.
    min, max, unit, help : of the setting of this name.

    Examples
    --------
    >>> threshold = Parameter("threshold", 0.5, (0.3, 0.5, 0.7), help="Foreground probability.")
    >>> threshold.options(ndim=3)
    (0.3, 0.5, 0.7)
    """

    name: str
    default: float | int
    candidates: tuple | Mapping[int, tuple] = ()
    min: float | None = None
    max: float | None = None
    unit: str = ""
    help: str = ""

    def options(self, ndim: int) -> tuple:
        """The candidates for images of so many spatial axes."""
        return (
            self.candidates.get(ndim, ())
            if isinstance(self.candidates, Mapping)
            else (self.candidates)
        )

    def setting(self) -> dataclasses.Field:
        """The setting of this name; empty means: chosen on the validation images."""
        return setting(None, min=self.min, max=self.max, unit=self.unit, help=self.help)

    @property
    def type(self) -> object:
        """Type of the setting's annotation."""
        return type(self.default) | None


def min_size_parameter(default: int = 10, candidates: Mapping[int, tuple] = SMALLEST) -> Parameter:
    """The size below which objects are removed, which nearly every target of labels has."""
    text = "Smaller objects are removed; chosen on validation images if empty."
    return Parameter("min_size", default, candidates, 0, 10**6, unit="px", help=text)


def threshold_parameter(*candidates: float, default: float = 0.5, help: str = "") -> Parameter:
    """The foreground probability from which a pixel belongs to a nucleus."""
    text = help or "Foreground probability of a nucleus; chosen on validation images if empty."
    return Parameter("threshold", default, candidates, 0.01, 0.99, help=text)


@dataclass(frozen=True)
class Target(ABC):
    """How truth becomes tensors, and tensors become a result.

    Parameters
    ----------
    ndim : number of spatial axes.
    spacing : pixel size along each of them; None where it is unknown.
    classes : names of the classes of single objects; () where they are not told apart.

    Attributes
    ----------
    outputs : channels of the network by what they hold, in their order; of a network with several
        outputs, one entry per output.
    stride : pixels of the image per pixel of the network's output.
    per_patch : whether truth is encoded in each patch as it was cut; else once per image, and the
        maps are moved with it.
    rescales : whether images of another pixel size are brought to that of the training; False where
        that would change the result itself, as in restoration.
    time_points_apart : whether each time point of a movie is an image to learn from.
    parameters : what `decode` takes.
    """

    ndim: int = 2
    spacing: tuple[float, ...] | None = None
    classes: tuple[str, ...] = ()

    stride: ClassVar[int] = 1
    per_patch: ClassVar[bool] = False
    rescales: ClassVar[bool] = True
    time_points_apart: ClassVar[bool] = False
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    @property
    @abstractmethod
    def outputs(self) -> dict[str, int]:
        """Name of what the network predicts → number of channels."""

    @abstractmethod
    def encode(self, example: Example) -> Maps:
        """Encode the truth of an image as the maps that the network is to predict.

        Parameters
        ----------
        example : image with its partners; labels are (*space).

        Returns
        -------
        (*space, K) float32, or one such array per output.
        """

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[Maps, Maps]:
        """What the network is given and what it is to predict: (*space, C) and (*space, K)."""
        return patch.image, self.encode(patch) if patch.maps is None else patch.maps

    def activate(self, raw: Maps, ops: ModuleType = np) -> Maps:
        """Turn the raw output of the network into maps to decode, as logits into probabilities.

        Parameters
        ----------
        raw : (*space, K), or (B, *space, K); one such array per output where there are several.
        ops : module with the functions of NumPy; `keras.ops` where the activation is to become the
            last layer of an exported network.
        """
        return raw

    @abstractmethod
    def decode(self, maps: Maps, **parameters: float) -> Result:
        """Maps → the result, on the pixel grid of the maps."""

    def describe(self, maps: Maps, **parameters: float) -> str:
        """What was decided in decoding and should be known; "" where nothing."""
        return ""

    def class_channels(self) -> slice | None:
        """Where in the maps the probabilities of `classes` lie; None without classes."""
        return None

    @classmethod
    def configure(cls, domain: Domain, settings: Settings | Mapping, **further: object) -> Target:
        """The target for images of a domain, its fields filled by what has their name.

        Parameters
        ----------
        domain : spatial axes, channels, spacing and classes, which settings cannot change.
        settings : of a method; those that are no fields of the target are ignored.
        further : fields that go before both.
        """
        known = dict(settings.to_dict() if isinstance(settings, Settings) else settings)
        known |= {name: getattr(domain, name) for name in FROM_DOMAIN} | further
        fields = {f.name for f in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in known.items() if name in fields})

    @property
    def axes(self) -> str:
        """Letters of the spatial axes."""
        return "ZYX"[-self.ndim :]

    @property
    def relative_spacing(self) -> tuple[float, ...] | None:
        """Spacing over the finest one; None where it is unknown."""
        return self.spacing and tuple(s / min(self.spacing) for s in self.spacing)

    def defaults(self) -> dict[str, float]:
        """Name → default of every parameter."""
        return {p.name: p.default for p in self.parameters}

    def candidates(self) -> dict[str, tuple]:
        """Name → values to try on validation images, of the parameters that have some."""
        found = {p.name: p.options(self.ndim) for p in self.parameters}
        return {name: values for name, values in found.items() if values}


class LabelTarget(Target):
    """A target whose result is labels. A subclass gives `find_labels` in place of `decode`."""

    @abstractmethod
    def find_labels(self, maps: np.ndarray, **parameters: float) -> np.ndarray:
        """(*space, K) maps → (*space) int32 labels."""

    def decode(self, maps: np.ndarray, **parameters: float) -> Labels:
        """Maps (*space, K) → labels on the same pixel grid, see `find_labels`."""
        return Labels(Image(self.find_labels(maps, **parameters), self.axes))

    def describe_objects(self, found: Labels, maps: np.ndarray) -> Labels:
        """Labels with the score of each object, and its class where classes are told apart.

        Parameters
        ----------
        found : labels on the grid of the image.
        maps : (*coarse, K) of the same field of view.
        """
        label = found.image.pixels
        found = dataclasses.replace(found, score=self.score(label, maps))
        channels = self.class_channels()
        if channels is None:
            return found
        names, probability = class_targets.decode(label, maps[..., channels], names=self.classes)
        return dataclasses.replace(found, classes=names, probability=probability)

    def describe_frames(self, found: Labels, frames: Sequence[np.ndarray]) -> Labels:
        """As `describe_objects`, time point by time point.

        Parameters
        ----------
        found : labels on the grid of the image, with or without T.
        frames : maps of each time point; one without T.
        """
        each = [self.describe_objects(*pair) for pair in zip(found.frames(), frames, strict=True)]
        return join_frames(each, found.image) if "T" in found.image.axes else each[0]

    def score(self, label: np.ndarray, maps: np.ndarray) -> dict[int, float] | None:
        """Score per object: the mean probability, in the first map, of its pixels."""
        return score_labels(label, maps[..., 0])


def sigmoid(logits: np.ndarray, ops: ModuleType = np) -> np.ndarray:
    """Logits → probabilities."""
    return 1 / (1 + ops.exp(-logits))


def softmax(logits: np.ndarray, ops: ModuleType = np) -> np.ndarray:
    """(..., K) logits of exclusive classes → (..., K) probabilities, in sum 1."""
    odds = ops.exp(logits - ops.max(logits, axis=-1, keepdims=True))
    return odds / ops.sum(odds, axis=-1, keepdims=True)
