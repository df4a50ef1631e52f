"""What the StarDist adapter asks of the stardist package, by its public names alone."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nbtools import documents, patches, tasks
from nbtools.errors import UserError
from nbtools.geometry import crop_centre
from nbtools.image import Image
from nbtools.inference import plan_tiles
from nbtools.methods import package_adapter
from nbtools.methods.package_adapter import silently
from nbtools.patches import Example
from nbtools.results import Labels
from nbtools.targets.base import LabelTarget, Parameter, threshold_parameter
from nbtools.targets.objects import remove_small_objects

if TYPE_CHECKING:
    from nbtools.methods import Method

LEAST_DISTANCE = 1e-3  # px; a polyhedron needs rays of some length
TUNING_PIXELS = 1_000_000  # of validation images looked at to choose thresholds
LEAST_RADIUS = 0.5  # px; a smaller shape covers no pixel
DEEP = 0.7  # of the greatest depth in a nucleus
SHARES = (
    0.8,
    0.7,
    0.6,
    0.5,
    0.4,
    0.3,
    0.2,
)  # of the highest probability in a volume: thresholds to try, from above
COVERS = (0.2, 0.3, 0.5)  # shares of a nucleus that another may cover, to try beside the usual one
PIECE, PIECES = (
    (32, 64, 64),
    6,
)  # px and number of the parts of validation volumes that this is done on
# polyhedra weighed against each other at once: the time grows with the square of those that lie
# together
MOST_SHAPES = 20_000
# decodings of each validation image while thresholds are chosen: 3 overlaps, about 15 steps each
EVALUATIONS = 45


@dataclass(frozen=True)
class StarTarget(LabelTarget):
    """Probability of a nucleus, distances to its border along rays, and class probabilities.

    Those of background and of each class come last, where the model tells classes apart.

    Parameters
    ----------
    network : configuration of the package's network; None before there is one.
    """

    network: object = None

    per_patch: ClassVar = True  # the package encodes what it draws
    parameters: ClassVar = (
        threshold_parameter(help="Probability of a nucleus; chosen on validation images if empty."),
        Parameter(
            *("nms", 0.4, (), 0.01, 0.99),
            help=(
                "Share of a nucleus that another may cover; chosen on validation images if empty."
            ),
        ),
    )

    @property
    def outputs(self) -> dict[str, int]:
        outputs = {"probability": 1, "rays": self.network.n_rays}
        return outputs | ({"classes": 1 + len(self.classes)} if self.classes else {})

    def encode(self, example: Example) -> np.ndarray:
        """(*space, 1 + rays) float32, of nuclei drawn as stars."""
        geometry, utils = import_part("geometry"), import_part("utils")
        label, about = example.label, self.network
        if self.ndim == 2:
            depth, distance = utils.edt_prob(label), geometry.star_dist(label, about.n_rays)
        else:
            rays = import_part("rays3d").rays_from_json(about.rays_json)
            depth = utils.edt_prob(label, anisotropy=about.anisotropy)
            distance = geometry.star_dist3D(label, rays)
        return np.concatenate([depth[..., None], distance], axis=-1).astype(np.float32)

    def find_labels(
        self,
        maps: np.ndarray,
        *,
        threshold: float,
        nms: float,
        space: tuple[int, ...] | None = None,
    ) -> np.ndarray:
        """Decode the most probable shapes that do not cover each other.

        Parameters
        ----------
        maps : (*space / grid, K): probability of a nucleus, lengths of its rays, and classes.
        threshold : probability, 0 … 1, above which a pixel proposes a shape.
        nms : share of a shape, 0 … 1, that a more probable one may cover.
        space : shape of the labels; that of the maps times the grid where it is not given.

        Returns
        -------
        (*space) int32 labels.
        """
        grid = self.network.grid
        space = space or tuple(n * g for n, g in zip(maps.shape[:-1], grid, strict=True))
        shapes, limits = maps[..., : 1 + self.network.n_rays], {"threshold": threshold, "nms": nms}
        return remove_small_objects(draw_shapes(shapes, self.network, space=space, **limits), 1)

    def decode(self, maps: np.ndarray, **parameters: object) -> Labels:
        """Maps → labels, see `find_labels`."""
        return Labels(Image(self.find_labels(maps, **parameters), self.axes))

    def class_channels(self) -> slice | None:
        if not self.classes:
            return None
        first = 2 + self.network.n_rays  # behind probability, rays and the class of the background
        return slice(first, first + len(self.classes))


def import_part(name: str) -> object:
    """Import a module of the stardist package; UserError where Keras does not run on TensorFlow."""
    return package_adapter.import_part("stardist", name, title="StarDist")


def make_inner(about: dict) -> object:
    """Make an untrained StarDist2D or StarDist3D that writes no files.

    Parameters
    ----------
    about : arguments of its configuration, with "axes".

    Raises
    ------
    UserError : Keras does not run on TensorFlow.
    """
    models = import_part("models")
    config, kind = (models.Config2D, models.StarDist2D)
    if count_axes(about) == 3:
        config, kind = (models.Config3D, models.StarDist3D)
    with _told("model.json"), silently():
        return kind(config(**about), basedir=None)


def draw_stars(label: np.ndarray, about: dict) -> np.ndarray:
    """Draw each nucleus as the star of rays from a deep pixel near its middle.

    Parameters
    ----------
    label : (*space) labels.
    about : arguments of a configuration, with the rays.

    Returns
    -------
    (*space) labels.
    """
    models, geometry, find_probability = (
        import_part("models"),
        import_part("geometry"),
        import_part("utils").edt_prob,
    )
    if label.ndim == 2:
        depth, distance = find_probability(label), geometry.star_dist(label, about["n_rays"])
    else:
        with silently():
            config = models.Config3D(**about)
        rays = import_part("rays3d").rays_from_json(config.rays_json)
        depth, distance = (
            find_probability(label, anisotropy=config.anisotropy),
            geometry.star_dist3D(label, rays),
        )
    at = tuple(_find_middles(label, depth).T)
    found = {"prob": depth[at], "shape": label.shape}
    if label.ndim == 2:
        return geometry.polygons_to_label(distance[at], np.stack(at, axis=-1), **found)
    return geometry.polyhedron_to_label(
        distance[at], np.stack(at, axis=-1), rays, verbose=False, **found
    )


def _find_middles(label: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(n, ndim): of each label, the pixel nearest to the centre of mass among the deep ones.

    `depth` is 1 at the deepest pixel of each.
    """
    places = np.argwhere(label > 0)
    own = label[tuple(places.T)]
    middle = (
        np.stack([np.bincount(own, p) for p in places.T], axis=-1)
        / np.maximum(np.bincount(own), 1)[:, None]
    )
    away = np.square(places - middle[own]).sum(axis=-1)
    order = np.lexsort((away, depth[tuple(places.T)] < DEEP, own))
    return places[order[np.unique(own[order], return_index=True)[1]]]


def open_inner(folder: Path) -> object:
    """A model that the package wrote, with its weights and thresholds."""
    about = documents.read_document(folder / "config.json")
    if (folder / "thresholds.json").exists():
        documents.read_document(folder / "thresholds.json")
    models = import_part("models")
    with _told(folder), silently():
        return {2: models.StarDist2D, 3: models.StarDist3D}[count_axes(about)](
            None, name=folder.absolute().name, basedir=str(folder.absolute().parent)
        )


@contextlib.contextmanager
def _told(place: object) -> Iterator[None]:
    """What the package says of a model that it cannot make, as a UserError."""
    try:
        yield
    except (OSError, LookupError, ValueError, TypeError, AttributeError, AssertionError) as error:
        remedy = "Give the whole folder that nbtools or the stardist package wrote."
        received = f"{place} ({documents.shorten(error, most=120)})"
        raise UserError("A StarDist model must be whole.", received, remedy) from error


def count_axes(about: dict) -> int:
    """Number of spatial axes of a network of the package."""
    return sum(axis in "ZYX" for axis in about["axes"])


def describe_config(config: object) -> dict:
    """The configuration as plain values, from which `make_inner` makes the same network."""
    text = json.dumps(vars(config), default=lambda value: value.item())
    return documents.parse_json(text, "the configuration of a network")


def draw_shapes(
    maps: np.ndarray, config: object, *, space: tuple[int, ...], threshold: float, nms: float
) -> np.ndarray:
    """Draw the most probable shapes that cover each other by less than a share.

    Parameters
    ----------
    maps : (*space / grid, 1 + rays): probability, and lengths of the rays in pixels.
    config : of the network.
    space : shape of the labels.
    threshold : probability, 0 … 1, above which a pixel proposes a shape.
    nms : share of a shape, 0 … 1, that a more probable one may cover.

    Returns
    -------
    (*space) labels.
    """
    geometry, suppress = import_part("geometry"), import_part("nms")
    probability, distance = maps[..., 0], np.maximum(maps[..., 1:], LEAST_DISTANCE)
    probability = np.where(
        distance.mean(axis=-1) < LEAST_RADIUS, 0, probability
    )  # thousands, where a network has learned nothing yet
    limits = {"grid": tuple(config.grid), "prob_thresh": threshold, "nms_thresh": nms}
    if len(space) == 2:
        points, scores, found = suppress.non_maximum_suppression(distance, probability, **limits)
        return geometry.polygons_to_label(found, points, shape=space, prob=scores)
    rays = import_part("rays3d").rays_from_json(config.rays_json)
    points, scores, found = suppress.non_maximum_suppression_3d(
        distance, probability, rays, **limits
    )
    return geometry.polyhedron_to_label(
        found, points, rays, shape=space, prob=scores, verbose=False
    )


def measure_anisotropy(labels: list[np.ndarray]) -> tuple[float, ...] | None:
    """How much coarser each axis is, were nuclei as long as they are wide; None without nuclei."""
    known = [np.maximum(label, 0) for label in labels if (label > 0).any()]
    if not known:
        return None
    extents = np.asarray(import_part("").calculate_extents(known), float)
    return tuple(float(a) for a in extents.max() / np.maximum(extents, 1))


def pad(example: Example, size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Reflect an image and its labels beyond their end, where they are smaller than a patch.

    Parameters
    ----------
    example : image (*space, C) and label (*space).
    size : (*space) of the patch.

    Returns
    -------
    Image (*space, C) and label (*space), at least of this size.
    """
    widths = [(0, max(0, s - n)) for s, n in zip(size, example.label.shape, strict=True)]
    label = patches.reflect_pad(example.label[..., None], widths)[..., 0]
    return patches.reflect_pad(example.image, widths), label


def list_classes(examples: list[Example]) -> list[dict[int, int | None]]:
    """List the class of each label of each image, as the package takes it.

    Parameters
    ----------
    examples : images with labels and classes.

    Returns
    -------
    Label → number of the class for each image; None where the class is unknown.
    """
    return [
        {int(v): e.classes.get(int(v)) for v in np.unique(e.label[e.label > 0])} for e in examples
    ]


def choose_thresholds(method: Method, examples: list[Example], *, seconds: float | None) -> dict:
    """Choose both thresholds by the package's own search, on the first validation images.

    In planes they maximise the mean of TP / (TP + FP + FN) at IoU 0.3, 0.5 and 0.7; in volumes the
    mean AP of parts of them, in a search that takes less time.

    Parameters
    ----------
    method : StarDist with a trained network.
    examples : validation images.
    seconds : wall time; None for no limit, and always the same choice of images.

    Returns
    -------
    `threshold` and `nms`; {} where there is no nucleus, or no time.
    """
    known = [e for e in examples if (e.label > 0).any()]
    if known and known[0].label.ndim == 3:
        return _choose_in_volumes(
            method, known, ends=time.monotonic() + (np.inf if seconds is None else seconds)
        )
    affordable = (
        _count_affordable(method, known[0], np.inf if seconds is None else seconds) if known else 0
    )
    if not affordable:
        return {}
    totals = np.cumsum([e.label.size for e in known])
    chosen = [
        e for e, total in zip(known, totals, strict=True) if total <= min(TUNING_PIXELS, affordable)
    ]
    if not chosen and affordable < known[0].label.size:
        return {}
    chosen = chosen or known[:1]
    with silently():
        found = method.inner.optimize_thresholds(
            [e.image for e in chosen],
            [np.maximum(e.label, 0) for e in chosen],
            predict_kwargs={"n_tiles": _count_tiles(method, chosen), "show_tile_progress": False},
            optimize_kwargs={"verbose": 0},
        )
    return {"threshold": float(found["prob"]), "nms": float(found["nms"])}


def _choose_in_volumes(method: Method, examples: list[Example], *, ends: float) -> dict:
    """Both thresholds by mean AP on parts of the volumes; {} where nothing is found.

    From the highest probability downwards, while time (`ends`, by `time.monotonic`) and the number
    of shapes allow: the package's search begins below, where a network that has learned little
    proposes so many polyhedra that a single try may take longer than the training.
    """
    parts, target = [], method.target()
    for example in examples[:PIECES]:
        label = crop_centre(example.label, PIECE)
        parts.append((label, method.infer(crop_centre(example.image, PIECE))))
    top = max(float(maps[..., 0].max()) for _, maps in parts)

    slowest = 0.0

    def score(values: dict) -> float:
        nonlocal slowest
        started = time.monotonic()
        shapes = sum((maps[..., 0] > values["threshold"]).sum() for _, maps in parts)
        if started + slowest > ends or shapes > MOST_SHAPES:
            return -1.0
        pairs = []
        for label, maps in parts:
            pairs.append((label, target.find_labels(maps, **values, space=label.shape)))
        slowest = max(slowest, time.monotonic() - started)
        return tasks.INSTANCES.tuning_score(pairs)

    tried = {(share * top, 0.4): score({"threshold": share * top, "nms": 0.4}) for share in SHARES}
    best = max(tried, key=tried.get)
    tried |= {(best[0], cover): score({"threshold": best[0], "nms": cover}) for cover in COVERS}
    best = max(tried, key=tried.get)
    return {"threshold": best[0], "nms": best[1]} if tried[best] > 0 else {}


def _count_affordable(method: Method, example: Example, seconds: float) -> float:
    """Pixels that can be decoded as often as the search needs; 0 where nothing is found yet.

    Measured at the lowest threshold the search looks at, which takes longest.
    """
    started = time.monotonic()
    maps = method.infer(example.image)
    lowest = {"threshold": float(maps[..., 0].max()) / 2, "nms": 0.4}
    if not method.target().find_labels(maps, **lowest).any():
        return 0
    taken = time.monotonic() - started
    return example.label.size * max(0.0, seconds) / EVALUATIONS / taken


def _count_tiles(method: Method, examples: list[Example]) -> tuple[int, ...]:
    """Tiles along each axis that the memory forecast asks for, for the largest image."""
    shape = max((e.label.shape for e in examples), key=np.prod)
    return (*(len(windows) for windows in plan_tiles(shape, method.field).windows), 1)
