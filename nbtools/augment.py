"""Vary patches at random, 2D and 3D: geometry with all partners, grey values of the image alone.

Every draw comes from the one `rng`, so that a batch is a function of its seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from nbtools import normalize, pasting, patches
from nbtools.patches import Example

if TYPE_CHECKING:
    from nbtools.data import Sample


@dataclass(frozen=True)
class AugmentationPolicy:
    """Strengths of the variations; zero switches one off."""

    flip: bool = True
    rotate: float = (
        180.0  # degrees, in the plane; volumes with coarse z also turn only in the plane
    )
    scale: float = 0.25  # a patch shows 1/(1+scale) to 1+scale times its size
    stretch: float = 0.1  # further change of one axis against the other
    gamma: float = 0.3
    gain: float = 0.3  # brightness factor, log-uniform
    offset: float = 0.1
    noise: float = 0.08
    blur: float = 1.0  # px
    share: float = 0.4  # of patches that get noise, and of those that get blur
    swap: bool = True  # flips exchange Y and X as well
    elastic: float = 0.0  # px, typical displacement of a smooth deformation in the plane
    paste: int = 0  # nuclei of a patch that are copied to free places in it, at most


POLICIES = {
    "none": AugmentationPolicy(False, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    "mirrors": AugmentationPolicy(True, 0, 0, 0, 0, 0, 0, 0, 0, 0, swap=False),
    "flips": AugmentationPolicy(True, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    "turns": AugmentationPolicy(True, 180, 0, 0, 0, 0, 0, 0, 0, 0),
    "light": AugmentationPolicy(True, 180, 0.15, 0.0, 0.15, 0.15, 0.05, 0.03, 0.0, 0.3),
    "standard": AugmentationPolicy(),
    "strong": AugmentationPolicy(True, 180, 0.5, 0.2, 0.6, 0.6, 0.2, 0.15, 1.5, 0.6),
    # for images of many microscopes: nuclei at half to twice their size
    "wide": AugmentationPolicy(True, 180, 1.0, 0.2, 0.6, 0.5, 0.15, 0.15, 1.5, 0.5),
    # the same without turns, in which boxes would grow
    "upright": AugmentationPolicy(True, 0, 1.0, 0, 0.6, 0.5, 0.15, 0.15, 1.5, 0.5),
    # for few labels: other shapes and other neighbours of the same nuclei
    "elastic": AugmentationPolicy(elastic=2.0),
    "paste": AugmentationPolicy(elastic=2.0, paste=3),
}
NODES = 32  # px between the places whose displacement is drawn
FARTHEST = 2.0  # typical displacements that a place is moved by at most, so that nothing folds
ROUNDS = 12  # in which a point is found again in a deformed patch


def keep_grid(recipe: AugmentationPolicy) -> AugmentationPolicy:
    """Keep only flips and quarter turns of the geometry, for patches that are cut already.

    Turned by other angles, or shrunk, such a patch would show its mirror image at the corners,
    where halves of nuclei become whole ones.

    Parameters
    ----------
    recipe : policy to restrict; grey values vary as before.
    """
    return replace(recipe, rotate=0.0, scale=0.0, stretch=0.0, elastic=0.0)


@dataclass(frozen=True)
class PatchTransform:
    """Where a patch is cut: its pixel p lies at position `matrix @ p + offset` of the image.

    Parameters
    ----------
    matrix : (ndim, ndim).
    offset : (ndim,) in pixels of the image.
    shape : (*space) of the patch.
    warp : (ndim, *shape) in pixels of the patch, added to p first; None for a patch that is not
        deformed.
    """

    matrix: np.ndarray
    offset: np.ndarray
    shape: tuple[int, ...]
    warp: np.ndarray | None = None


def vary(
    sample: Sample,
    recipe: str | AugmentationPolicy = "standard",
    *,
    count: int = 6,
    size: int = 128,
    seed: int = 0,
) -> list[Sample]:
    """Draw augmented patches of one sample, to look at them before training.

    Parameters
    ----------
    sample : image and label; only the spatial axes are used.
    recipe : a name of POLICIES, or strengths of your own.
    count : number of patches.
    size : side of a patch in pixels, no larger than the image.
    seed : of the variations.

    Returns
    -------
    Samples named NAME_0, NAME_1 …; grey values are normalised to about 0 … 1, as in training.
    """
    recipe = POLICIES[recipe] if isinstance(recipe, str) else recipe
    rng = np.random.default_rng(seed)
    pixels = sample.image.to(sample.image.spatial).pixels[..., None]  # one channel
    grey, found = normalize.by_percentiles(pixels).apply(pixels), []
    truth = None if sample.label is None else sample.label.pixels
    points = None if truth is None else patches.find_points(truth)
    for number in range(count):
        shape = grey.shape[:-1]
        frame = draw_transform(
            rng, recipe, points=points, shape=shape, size=tuple(min(size, n) for n in shape)
        )
        patch = Example(
            image=cut(grey, frame, order=1),
            label=None if truth is None else cut(truth, frame, order=0),
        )
        if recipe.paste:
            patch = pasting.paste_nuclei(rng, patch, most=recipe.paste)
        image = vary_grey(rng, patch.image, recipe=recipe)[..., 0]
        label = None if truth is None else sample.label.replace(pixels=patch.label)
        name = f"{sample.name}_{number}"
        found.append(
            sample.replace(
                name=name,
                image=sample.image.to(sample.image.spatial).replace(pixels=image, name=name),
                label=label,
            )
        )
    return found


def draw_transform(
    rng: np.random.Generator,
    recipe: AugmentationPolicy,
    *,
    points: np.ndarray | None,
    shape: tuple,
    size: tuple,
    foreground: float = patches.FOREGROUND,
) -> PatchTransform:
    """Draw the position, orientation and scale of a patch.

    Without rotation and scaling it lies on whole pixels, so that the patch is an exact cut.

    Parameters
    ----------
    rng : source of all draws.
    recipe : strengths of the variations.
    points : (N, ndim) positions of nuclei, in pixels; None draws any position.
    shape : (*space) of the image.
    size : (*space) of the patch, in pixels.
    foreground : share of patches that are centred on a nucleus, see `patches.choose_centre`.
    """
    ndim = len(size)
    matrix = _orthogonal(rng, recipe, ndim) @ _zoom(rng, recipe, ndim)
    extent = np.abs(matrix) @ np.array(size, float)
    centre = patches.clip_centre(
        patches.choose_centre(rng, points, shape=shape, foreground=foreground), shape, extent=extent
    )
    middle = (np.array(size, float) - 1) / 2
    offset = centre - 0.5 - matrix @ middle
    exact = np.allclose(matrix, np.round(matrix))
    warp = draw_warp(rng, recipe.elastic, size=tuple(size)) if recipe.elastic else None
    return PatchTransform(matrix, np.round(offset) if exact else offset, tuple(size), warp)


def draw_warp(rng: np.random.Generator, strength: float, *, size: tuple[int, ...]) -> np.ndarray:
    """Draw a smooth displacement of the pixels of a patch.

    Places NODES apart are displaced along Y and X, each by itself, and cubic splines lead from one
    to the next; along Z nothing moves, since planes are few.

    Parameters
    ----------
    rng : source of the draws.
    strength : typical displacement of a place, in pixels.
    size : (*space) of the patch.

    Returns
    -------
    (ndim, *size) float32, in pixels.
    """
    ndim, warp = len(size), np.zeros((len(size), *size), np.float32)
    nodes = [max(2, round(n / NODES) + 1) for n in size]
    where = np.meshgrid(
        *[np.linspace(0, n - 1, s, dtype=np.float32) for n, s in zip(nodes, size, strict=True)],
        indexing="ij",
    )
    for axis in range(ndim - 2, ndim):
        drawn = np.clip(rng.normal(size=nodes), -FARTHEST, FARTHEST) * strength
        ndimage.map_coordinates(drawn, where, output=warp[axis], order=3, mode="nearest")
    return warp


def cut(array: np.ndarray, frame: PatchTransform, *, order: int) -> np.ndarray:
    """Cut a patch from an array; beyond the border the array is reflected.

    Parameters
    ----------
    array : (*space) or (*space, C).
    frame : position, orientation and scale of the patch.
    order : of the interpolation: 0 for labels, 1 for grey values.

    Returns
    -------
    (*patch) or (*patch, C), of the type of the array.

    Examples
    --------
    >>> frame = PatchTransform(np.eye(1), np.array([2.0]), (3,))
    >>> cut(np.arange(8), frame, order=0).tolist()
    [2, 3, 4]
    """
    if array.ndim > len(frame.shape):
        return np.stack(
            [cut(array[..., c], frame, order=order) for c in range(array.shape[-1])], axis=-1
        )
    if frame.warp is not None:
        return _bend(array, frame, order=order)
    if np.allclose(frame.matrix, np.eye(len(frame.shape))):
        return _slice(array, frame)
    # a tight box around what the frame sees keeps the cost independent of the image size
    box, shift = _bounding_box(frame, array.shape)
    return ndimage.affine_transform(
        array[box], frame.matrix, frame.offset - shift, frame.shape, order=order, mode="reflect"
    )


def cut_example(example: Example, transform: PatchTransform) -> Example:
    """Cut a patch from an image and from all its partners.

    Grey values are interpolated linearly, labels take the nearest pixel. Points and boxes move
    along, and those outside the patch are left out.

    Parameters
    ----------
    example : image with its partners.
    transform : position, orientation and scale of the patch.
    """
    grey = {name: getattr(example, name) for name in ("image", "clean", "maps")}
    moved = {k: cut(a, transform, order=1) for k, a in grey.items() if a is not None}
    if example.label is not None:
        moved["label"] = cut(example.label, transform, order=0)
    if example.void is not None:
        moved["void"] = cut(example.void.astype(np.uint8), transform, order=0) > 0
    if example.points is not None:
        points, inside = move_points(example.points, transform)
        moved |= {"points": points, "point_classes": _pick(example.point_classes, inside)}
        moved["point_sizes"] = _pick(_resize(example.point_sizes, transform), inside)
    if example.boxes is not None:
        boxes, inside = move_boxes(example.boxes, transform)
        moved |= {"boxes": boxes, "box_classes": _pick(example.box_classes, inside)}
    return replace(example, **moved, seeds=None)


def move_points(points: np.ndarray, transform: PatchTransform) -> tuple[np.ndarray, np.ndarray]:
    """Move points from the image to a patch, and leave out those outside.

    Parameters
    ----------
    points : (N, D) in pixels of the image.
    transform : position, orientation and scale of the patch.

    Returns
    -------
    (M, D) points in pixels of the patch, and (N,) bool, the points that are kept.

    Examples
    --------
    >>> frame = PatchTransform(np.eye(2), np.array([2.0, 2.0]), (4, 4))
    >>> points, kept = move_points(np.array([[3.0, 4.0], [0.0, 0.0]]), frame)
    >>> points.tolist(), kept.tolist()
    ([[1.0, 2.0]], [True, False])
    """
    moved = find_in_patch(points, transform)
    inside = ((moved >= -0.5) & (moved < np.array(transform.shape) - 0.5)).all(axis=1)
    return moved[inside], inside


def find_in_patch(points: np.ndarray, transform: PatchTransform) -> np.ndarray:
    """Find the places of points in a patch, inside of it or not.

    Parameters
    ----------
    points : (N, D) in pixels of the image.
    transform : position, orientation and scale of the patch, and how it is deformed.

    Returns
    -------
    (N, D) in pixels of the patch.

    Examples
    --------
    >>> frame = PatchTransform(np.eye(1), np.zeros(1), (9,), np.full((1, 9), 2.0))
    >>> find_in_patch(np.array([[5.0]]), frame).tolist()
    [[3.0]]
    """
    straight = np.linalg.solve(transform.matrix, (points - transform.offset).T).T
    if transform.warp is None:
        return straight
    places = straight
    for _ in range(ROUNDS):  # p + warp(p) = straight: a fixed point, since the warp is smooth
        steps = [
            ndimage.map_coordinates(part, places.T, order=1, mode="nearest")
            for part in transform.warp
        ]
        places = straight - np.stack(steps, axis=-1)
    return places


def move_boxes(boxes: np.ndarray, transform: PatchTransform) -> tuple[np.ndarray, np.ndarray]:
    """Move boxes from the image to a patch, and clip them to it.

    A box that is not turned by quarters becomes the larger box around its corners. It is left out
    if less than half of its extent along any axis lies in the patch.

    Parameters
    ----------
    boxes : (N, 2 D) in pixels of the image, columns y0, x0, y1, x1[, z0, z1].
    transform : position, orientation and scale of the patch.

    Returns
    -------
    (M, 2 D) boxes in pixels of the patch, and (N,) bool, the boxes that are kept.

    Examples
    --------
    >>> frame = PatchTransform(np.eye(2), np.array([2.0, 2.0]), (4, 4))
    >>> boxes, kept = move_boxes(np.array([[3.0, 3.0, 5.0, 7.0], [0.0, 0.0, 2.0, 2.0]]), frame)
    >>> boxes.tolist(), kept.tolist()
    ([[1.0, 1.0, 3.0, 4.0]], [True, False])
    """
    first, last = box_corners(boxes)
    ends = np.stack([first, (first + last - 1) / 2, last - 1])  # pixel centres
    ndim = len(transform.shape)
    # corners; of a box that is deformed also the middles of its sides
    steps = (0, 2) if transform.warp is None else (0, 1, 2)
    choice = np.stack(np.meshgrid(*[steps] * ndim, indexing="ij"), axis=-1).reshape(-1, ndim)
    corners = ends[choice, :, np.arange(ndim)]  # (corner, axis, box)
    places = corners.transpose(0, 2, 1).reshape(-1, ndim)
    moved = find_in_patch(places, transform)
    moved = moved.reshape(len(choice), len(boxes), ndim)
    low, high = moved.min(axis=0), moved.max(axis=0) + 1
    cut_low, cut_high = np.clip(low, 0, transform.shape), np.clip(high, 0, transform.shape)
    inside = (cut_high - cut_low >= 0.5 * (high - low)).all(axis=1)
    return join_corners(cut_low[inside], cut_high[inside]), inside


def box_corners(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split boxes into their first and last edges; `join_corners` inverts it.

    Parameters
    ----------
    boxes : (N, 2 D), columns y0, x0, y1, x1[, z0, z1].

    Returns
    -------
    Two arrays (N, D), along the axes [z,] y, x.

    Examples
    --------
    >>> low, high = box_corners(np.array([[1, 2, 3, 4, 5, 6]]))
    >>> low.tolist(), high.tolist()
    ([[5, 1, 2]], [[6, 3, 4]])
    """
    flat = boxes.reshape(-1, boxes.shape[-1])
    low, high = flat[:, [0, 1]], flat[:, [2, 3]]
    if flat.shape[1] == 6:
        low, high = np.c_[flat[:, 4], low], np.c_[flat[:, 5], high]
    return low, high


def join_corners(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Join first and last edges to boxes; `box_corners` inverts it.

    Parameters
    ----------
    low, high : (N, D) first and last edges, along the axes [z,] y, x.

    Returns
    -------
    (N, 2 D), columns y0, x0, y1, x1[, z0, z1].

    Examples
    --------
    >>> join_corners(np.array([[5, 1, 2]]), np.array([[6, 3, 4]])).tolist()
    [[1, 2, 3, 4, 5, 6]]
    """
    plane = np.c_[low[:, -2:], high[:, -2:]]
    return np.c_[plane, low[:, 0], high[:, 0]] if low.shape[1] == 3 else plane


def _resize(sizes: np.ndarray | None, transform: PatchTransform) -> np.ndarray | None:
    """Diameters in the pixels of a patch; its mean magnification is that of all axes."""
    if sizes is None:
        return None
    return sizes / abs(np.linalg.det(transform.matrix)) ** (1 / len(transform.shape))


def _pick(classes: np.ndarray | None, chosen: np.ndarray) -> np.ndarray | None:
    return classes if classes is None else np.asarray(classes)[chosen]


def vary_grey(
    rng: np.random.Generator, image: np.ndarray, *, recipe: AugmentationPolicy
) -> np.ndarray:
    """Vary contrast, brightness, sharpness and noise of a patch, so that its label stays true.

    Parameters
    ----------
    rng : source of all draws.
    image : (*space, C) normalised grey values.
    recipe : strengths of the variations.

    Returns
    -------
    (*space, C) float32.
    """
    if recipe.blur and rng.random() < recipe.share:
        sigma = rng.uniform(0.2, recipe.blur)
        image = ndimage.gaussian_filter(image, (0,) * (image.ndim - 3) + (sigma, sigma, 0))
    if recipe.gamma:
        image = np.sign(image) * np.abs(image) ** np.float32(
            np.exp(rng.uniform(-recipe.gamma, recipe.gamma))
        )
    if recipe.gain:
        image = image * np.float32(np.exp(rng.uniform(-recipe.gain, recipe.gain)))
    if recipe.offset:
        image = image + np.float32(rng.uniform(-recipe.offset, recipe.offset))
    if recipe.noise and rng.random() < recipe.share:
        image = image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(
            rng.uniform(0, recipe.noise)
        )
    return image.astype(np.float32, copy=False)


def _orthogonal(rng: np.random.Generator, recipe: AugmentationPolicy, ndim: int) -> np.ndarray:
    """A turn in the plane of Y and X, and flips of every axis."""
    matrix = np.eye(ndim)
    if recipe.rotate:
        angle = np.deg2rad(rng.uniform(-recipe.rotate, recipe.rotate))
        matrix[-2:, -2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    elif recipe.flip and recipe.swap and rng.random() < 0.5:
        matrix[-2:, -2:] = [[0, 1], [1, 0]]
    if recipe.flip:
        matrix = matrix * rng.choice([-1.0, 1.0], size=ndim)
    return matrix


def _zoom(rng: np.random.Generator, recipe: AugmentationPolicy, ndim: int) -> np.ndarray:
    factors = np.ones(ndim)
    if recipe.scale:
        factors[:] = np.exp(rng.uniform(-1, 1) * np.log1p(recipe.scale))
    if recipe.stretch:
        factors[-2:] *= np.exp(
            np.array([1, -1]) * rng.uniform(-1, 1) * np.log1p(recipe.stretch) / 2
        )
    if ndim == 3:
        factors[0] = np.sqrt(factors[0])  # few planes: change their distance less
    return np.diag(factors)


def _slice(array: np.ndarray, frame: PatchTransform) -> np.ndarray:
    index = [
        _reflect(int(o) + np.arange(n), size)
        for o, n, size in zip(frame.offset, frame.shape, array.shape, strict=True)
    ]
    return array[np.ix_(*index)]


def _bend(array: np.ndarray, frame: PatchTransform, *, order: int) -> np.ndarray:
    """The patch of a frame that deforms it."""
    ndim = len(frame.shape)
    grid = np.stack(np.meshgrid(*map(np.arange, frame.shape), indexing="ij")) + frame.warp
    seen = np.tensordot(frame.matrix, grid, axes=1) + frame.offset.reshape(-1, *(1,) * ndim)
    return ndimage.map_coordinates(array, seen, order=order, mode="reflect")


def _reflect(index: np.ndarray, size: int) -> np.ndarray:
    """Indices outside 0 … size-1 mirrored back inside (edge pixel repeated)."""
    index = np.mod(index, 2 * size)
    return np.where(index < size, index, 2 * size - 1 - index)


def _bounding_box(
    frame: PatchTransform, shape: tuple[int, ...]
) -> tuple[tuple[slice, ...], np.ndarray]:
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in frame.shape], indexing="ij")).reshape(
        len(shape), -1
    )
    seen = frame.matrix @ corners + frame.offset[:, None]
    low = np.clip(np.floor(seen.min(axis=1)).astype(int) - 1, 0, np.array(shape) - 1)
    high = np.clip(np.ceil(seen.max(axis=1)).astype(int) + 2, low + 1, shape)
    if (seen.min(axis=1) < 0).any() or (seen.max(axis=1) > np.array(shape) - 1).any():
        low, high = np.zeros(len(shape), int), np.array(shape)  # reflection needs the true border
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True)), low
