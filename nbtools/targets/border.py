"""Background, inside and border: touching nuclei are parted by a class of their own between them.

Drawn *outside*, a border takes pixels from the background, and from the nuclei only where two
touch; drawn *inside*, it takes the rim of every nucleus, and what is left is too small unless it
grows back. (Three classes as in Caicedo et al. 2019, doi:10.1002/cyto.a.23863.)
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.patches import Example
from nbtools.targets.base import Parameter, min_size_parameter, softmax, threshold_parameter
from nbtools.targets.class_head import ClassHeadTarget
from nbtools.targets.objects import expand_labels, remove_small_objects

BACKGROUND, INSIDE, BORDER = range(3)


def encode(
    label: np.ndarray, *, where: str = "outer", along: tuple[int, ...] | None = None
) -> np.ndarray:
    """Encode labels as three classes: background, inside and border.

    A border is one pixel wide, and two where nuclei touch.

    Parameters
    ----------
    label : (*space) labels; negative ones are ignored.
    where : "outer": the border is drawn on the background; "inner": on the rim of the nuclei. Where
        two nuclei touch, it is drawn on both in either case.
    along : axes along which a border is drawn against the background, None for all. Where planes
        lie far apart, a border in the first and the last plane of a nucleus would leave little of
        it. Between two nuclei it is drawn along every axis.

    Returns
    -------
    (*space, 1) float32: 0 background, 1 inside, 2 border, -1 ignored.

    References
    ----------
    Caicedo et al. 2019, doi:10.1002/cyto.a.23863.

    Examples
    --------
    >>> encode(np.array([[0, 0, 5, 5, 7, 7, 0]]))[0, :, 0].astype(int).tolist()
    [0, 2, 1, 2, 2, 1, 2]
    """
    inside = label > 0
    edge = find_edges(label, along=along)
    border = edge & (~inside | _touches_another(label)) if where == "outer" else edge & inside
    classes = np.where(border, BORDER, np.where(inside, INSIDE, BACKGROUND))
    return np.where(label < 0, -1, classes).astype(np.float32)[..., None]


def decode(
    maps: np.ndarray,
    *,
    where: str = "outer",
    threshold: float = 0.5,
    grow: int = 2,
    min_size: int = 0,
) -> np.ndarray:
    """Decode class probabilities: connected cores, grown back into the border.

    Parameters
    ----------
    maps : (*space, 3) probabilities of background, inside and border.
    where : "outer" or "inner", as in `encode`.
    threshold : share of the inside in inside + border, 0 … 1, above which a pixel that is not
        background belongs to a core.
    grow : steps in pixels by which a core takes back border; of an outer border only what lies
        between two nuclei. 0 leaves the cores.
    min_size : smallest core in pixels.

    Returns
    -------
    (*space) int32 labels.

    Examples
    --------
    >>> label = np.array([[0, 0, 1, 1, 1, 2, 2, 2, 0, 0]])
    >>> maps = (encode(label) == np.arange(3)).astype(float)
    >>> decode(maps).tolist()
    [[0, 0, 1, 1, 1, 2, 2, 2, 0, 0]]
    """
    background = maps[..., BACKGROUND] > 0.5
    core = ~background & (maps[..., INSIDE] > threshold * (maps[..., INSIDE] + maps[..., BORDER]))
    label, _ = ndimage.label(core)
    label = remove_small_objects(label.astype(np.int32, copy=False), min_size)
    return expand_labels(
        label,
        ~background if where == "inner" else _between(label, background, steps=grow),
        steps=grow,
    )


def unet_weight_map(
    label: np.ndarray,
    *,
    weight: float = 10.0,
    width: float = 5.0,
    spacing: tuple[float, ...] | None = None,
) -> np.ndarray:
    """Weight the pixels of narrow gaps between nuclei in a loss.

    The weight is 1 + weight · exp(-(d1 + d2)² / (2 · width²)) on the background, with the
    distances to the nearest nucleus and the second nearest; it is 1 inside nuclei.

    Parameters
    ----------
    label : (*space) labels.
    weight : what is added where the distances are 0.
    width : of the Gaussian, in pixels of spacing 1.
    spacing : relative pixel size along each axis; None for equal ones.

    Returns
    -------
    (*space) float32, 1 … 1 + weight.

    References
    ----------
    Ronneberger, Fischer & Brox 2015, doi:10.1007/978-3-319-24574-4_28.
    """
    first, second = find_two_nearest(label, spacing=spacing)
    gap = np.exp(-((first + second) ** 2) / (2 * width**2))
    return np.where(label == 0, 1 + weight * gap, 1).astype(np.float32)


def find_two_nearest(
    label: np.ndarray, *, spacing: tuple[float, ...] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Measure the distance to the nearest nucleus, and to the nearest other one.

    The labels of two nuclei differ in some binary digit. So the second distance is the least of a
    few distance transforms, one for each value of each digit, however many nuclei there are.

    Parameters
    ----------
    label : (*space) labels; only numbers above 0 count.
    spacing : pixel size along each axis; None for 1.

    Returns
    -------
    Two arrays (*space), in the unit of the spacing; infinite where there is no such nucleus.

    Examples
    --------
    >>> first, second = find_two_nearest(np.array([[3, 0, 0, 0, 8]]))
    >>> first[0].tolist(), second[0].tolist()
    ([0.0, 1.0, 2.0, 1.0, 0.0], [4.0, 3.0, 2.0, 3.0, 4.0])
    """
    _, number = np.unique(np.maximum(label, 0), return_inverse=True)
    number = number.reshape(label.shape)
    first, nearest = _distance_to(number > 0, spacing)
    mine, second = number[nearest], np.full(label.shape, np.inf)
    for digit in range(int(number.max(initial=0)).bit_length()):
        for value in (0, 1):
            others, _ = _distance_to((number > 0) & ((number >> digit) & 1 == value), spacing)
            second = np.where((mine >> digit) & 1 != value, np.minimum(second, others), second)
    return first, second


def find_edges(label: np.ndarray, *, along: tuple[int, ...] | None = None) -> np.ndarray:
    """Find the pixels with a neighbour, across a face, of another label or of the background.

    The edge of the image is none.

    Parameters
    ----------
    label : (*space) labels; negative ones count as background.
    along : axes along which a neighbour that is background counts too, None for all.

    Returns
    -------
    (*space) bool.

    Examples
    --------
    >>> find_edges(np.array([[0, 5, 5, 5, 7, 7]])).astype(int).tolist()
    [[1, 1, 0, 1, 1, 0]]
    """
    edges = np.zeros(label.shape, bool)
    for axis in range(label.ndim):
        near, far = [slice(None)] * label.ndim, [slice(None)] * label.ndim
        near[axis], far[axis] = slice(None, -1), slice(1, None)
        one, other = np.maximum(label[tuple(near)], 0), np.maximum(label[tuple(far)], 0)
        differs = one != other
        if along is not None and axis not in along:
            differs &= (one > 0) & (other > 0)
        edges[tuple(near)] |= differs
        edges[tuple(far)] |= differs
    return edges


def _touches_another(label: np.ndarray) -> np.ndarray:
    """Labelled pixels that touch another label, across faces, edges or corners."""
    return (label > 0) & _meet(label, 3)


def _between(label: np.ndarray, background: np.ndarray, *, steps: int) -> np.ndarray:
    """Border pixels between two nuclei that touch or nearly touch, away from the background."""
    apart = ndimage.binary_dilation(background, np.ones((3,) * label.ndim))
    return ~apart & _meet(label, 2 * steps + 1)


def _meet(label: np.ndarray, size: int) -> np.ndarray:
    """Pixels with two different labels in the box of `size` pixels around them."""
    highest = ndimage.maximum_filter(np.maximum(label, 0), size=size)
    lowest = ndimage.minimum_filter(np.where(label > 0, label, label.max(initial=0) + 1), size=size)
    return highest > lowest


def _distance_to(region: np.ndarray, spacing: tuple[float, ...] | None) -> tuple[np.ndarray, tuple]:
    """Distance to a region, and where its nearest pixel lies."""
    if not region.any():
        return np.full(region.shape, np.inf), tuple(np.indices(region.shape))
    distance, nearest = ndimage.distance_transform_edt(
        ~region, sampling=spacing, return_indices=True
    )
    return distance, tuple(nearest)


CLASSES = 3


def grow_parameter(*candidates: int) -> Parameter:
    """How far cores take back what the border took from them."""
    text = "Steps by which cores take back their border; chosen on validation images if empty."
    return Parameter("grow", 2, candidates, 0, 20, unit="px", help=text)


@dataclass(frozen=True)
class BorderTarget(ClassHeadTarget):
    """Background, inside and border per pixel, from one network or several.

    Borders are drawn on the patch as cut, so that they are one pixel wide however it was scaled and
    turned.

    Parameters
    ----------
    border : "outer", drawn outside the nuclei, or "inner", taking their rim.
    border_weight : how much more a pixel of a border counts.
    """

    border: str = "outer"
    border_weight: float = 10.0

    per_patch: ClassVar = True
    parameters: ClassVar = (
        threshold_parameter(
            *(0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
            help=(
                "Share of inside in inside and border that makes a core; chosen on validation "
                "images if empty."
            ),
        ),
        grow_parameter(0, 1, 2, 3),
        min_size_parameter(),
    )

    @property
    def label_outputs(self) -> dict[str, int]:
        return {"background": 1, "inside": 1, "border": 1}

    def encode_labels(self, example: Example) -> np.ndarray:
        """(*space, 4): the three classes, one of them 1, and the weight."""
        classes = encode(example.label, where=self.border)
        share = (classes == np.arange(CLASSES)).astype(np.float32)
        weight = np.where(classes == BORDER, self.border_weight, 1.0)
        return np.concatenate([share, weight], axis=-1)

    def activate_labels(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """(*space, 3) logits → probabilities of background, inside and border."""
        return softmax(raw, ops)

    def activate(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """Logits of all members of an ensemble → the mean of their probabilities."""
        width, activate = CLASSES + len(self.classes), super().activate
        starts = range(0, raw.shape[-1], width)
        members = [activate(raw[..., i : i + width], ops) for i in starts]
        return ops.mean(ops.stack(members, axis=-2), axis=-2)

    def find_labels(
        self, maps: np.ndarray, *, threshold: float, grow: int, min_size: int
    ) -> np.ndarray:
        """(*space, 3) probabilities → (*space) int32 labels, see `decode`."""
        where = self.border
        return decode(maps, where=where, threshold=threshold, grow=grow, min_size=min_size)

    def score(self, label: np.ndarray, maps: np.ndarray) -> dict[int, float]:
        """Score of each nucleus: one minus the mean background probability of its pixels."""
        return super().score(label, 1 - maps[..., BACKGROUND, None])


@dataclass(frozen=True)
class CoreTarget(BorderTarget):
    """As `BorderTarget` with inner borders and without weights: cores that take back their rim.

    Parameters
    ----------
    rim : axes along which a nucleus has a rim against the background; None for all.
    """

    border: str = "inner"
    rim: tuple[int, ...] | None = None

    parameters: ClassVar = (
        threshold_parameter(
            *(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
            help=(
                "Share of core in core and rim that makes a core; chosen on validation images if "
                "empty."
            ),
        ),
        grow_parameter(1, 2, 3),
        min_size_parameter(),
    )

    def encode_labels(self, example: Example) -> np.ndarray:
        """(*space, 3): the three classes, one of them 1."""
        classes = encode(example.label, where=self.border, along=self.rim)
        return (classes == np.arange(CLASSES)).astype(np.float32)

    def activate(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """(*space, 3) logits of one network → probabilities of background, core and rim."""
        return softmax(raw, ops)
