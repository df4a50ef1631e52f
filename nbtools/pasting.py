"""Copy nuclei of a patch to free places in it, with soft borders and with all their partners.

After Ghiasi et al. 2021, doi:10.1109/CVPR46437.2021.00294 (copy-paste), for planes and volumes. A
copy is moved by whole pixels, so that labels, maps and boxes stay exact, and lies where its rim
touches no other nucleus and nothing that nobody looked at.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from nbtools.patches import Example

RIM = 3  # px around a nucleus that are copied, too: its blur, and maps of its border
SOFT = 1.0  # px of a Gaussian, by which the copied rim fades
TRIES = 12  # places that are tried for a copy
_CROSS = ndimage.generate_binary_structure(2, 1)[None]  # neighbours in the plane
CONTRAST = 0.2  # log of the factor by which a copy differs from its nucleus, at most


def paste_nuclei(rng: np.random.Generator, patch: Example, *, most: int) -> Example:
    """Copy some nuclei of a patch to places where there is background alone.

    Parameters
    ----------
    rng : source of all draws.
    patch : with labels; one without is returned as it is, as is one of styles or unknown classes.
    most : copies; each finds its place by chance, or none.

    Returns
    -------
    Example : its new nuclei are numbered on, of the class of those they are copies of.
    """
    if patch.label is None or not (patch.label > 0).any():
        return patch
    found = replace(patch, **{k: a.copy() for k, a in _list_grids(patch).items()})
    free = find_free(patch)
    places = ndimage.find_objects(np.maximum(patch.label, 0))
    numbers = [n for n, place in enumerate(places, 1) if place is not None]
    for _ in range(int(rng.integers(0, most + 1))):
        number = int(rng.choice(numbers))
        mask, corner = cut_out(patch.label, number, place=places[number - 1])
        if mask is None:
            continue
        target = find_place(rng, free, mask=mask)
        if target is not None:
            found = _copy(rng, patch, found, number=number, mask=mask, move=(corner, target))
            free[tuple((np.argwhere(mask > 0) + target).T)] = False
    return found


def find_free(patch: Example) -> np.ndarray:
    """Find the background of a patch that is known for sure, RIM px from anything else.

    Parameters
    ----------
    patch : with labels.

    Returns
    -------
    (*space) bool.
    """
    taken = patch.label != 0 if patch.void is None else (patch.label != 0) | patch.void
    return ~widen(taken)


def widen(mask: np.ndarray) -> np.ndarray:
    """A mask (*space) bool and RIM px around it; of volumes in the plane, and one plane more."""
    near = mask
    if mask.ndim == 3:
        near = ndimage.binary_dilation(near, np.ones((3, 1, 1), bool))
        return ndimage.binary_dilation(near, _CROSS, iterations=RIM)
    return ndimage.binary_dilation(near, iterations=RIM)


def cut_out(
    label: np.ndarray, number: int, *, place: tuple[slice, ...]
) -> tuple[np.ndarray | None, np.ndarray]:
    """Cut out a nucleus with its rim, if it lies in the patch as a whole, and alone.

    Parameters
    ----------
    label : (*space) label image.
    number : of the nucleus.
    place : its bounding box.

    Returns
    -------
    (*box) int: 2 in the nucleus, 1 in its rim, 0 elsewhere; None where another nucleus, unknown
    pixels or the edge of the patch are near. And the first corner of the box.

    Examples
    --------
    >>> label = np.zeros((12, 12), int)
    >>> label[5:7, 5:7] = 4
    >>> mask, corner = cut_out(label, 4, place=(slice(5, 7), slice(5, 7)))
    >>> mask.shape, corner.tolist(), int((mask == 2).sum())
    ((8, 8), [2, 2], 4)
    """
    rim = np.array([1, RIM, RIM][-label.ndim :])  # planes are few, and far apart
    first = np.array([s.start for s in place]) - rim
    last = np.array([s.stop for s in place]) + rim
    if (first < 0).any() or (last > label.shape).any():
        return None, first
    around = tuple(slice(max(0, a), b) for a, b in zip(first - rim, last + rim, strict=True))
    mine = label[around] == number
    if (widen(widen(mine)) & ~mine & (label[around] != 0)).any():
        return None, first
    mine = label[tuple(map(slice, first, last))] == number
    return widen(mine).astype(np.int8) + mine, first


def find_place(
    rng: np.random.Generator, free: np.ndarray, *, mask: np.ndarray
) -> np.ndarray | None:
    """Find a place whose pixels are all free.

    Parameters
    ----------
    rng : source of the places that are tried.
    free : (*space) bool.
    mask : (*box) above 0 where it must be free.

    Returns
    -------
    (ndim,) first corner of the box there; None where no try was good.
    """
    wanted = np.argwhere(mask > 0)
    room = np.array(free.shape) - mask.shape
    for _ in range(TRIES):
        corner = rng.integers(0, room + 1)
        if free[tuple((wanted + corner).T)].all():
            return corner
    return None


def _list_grids(patch: Example) -> dict[str, np.ndarray]:
    """What a patch holds per pixel; an unpaired image shows another field."""
    grids = {name: getattr(patch, name) for name in ("image", "label", "clean", "maps")}
    return {name: array for name, array in grids.items() if array is not None}


def _copy(
    rng: np.random.Generator,
    patch: Example,
    found: Example,
    *,
    number: int,
    mask: np.ndarray,
    move: tuple[np.ndarray, np.ndarray],
) -> Example:
    """The example with one nucleus more; per-pixel arrays are changed in place."""
    here, there = (tuple(map(slice, corner, corner + mask.shape)) for corner in move)
    new, inside, rim = int(found.label.max()) + 1, mask == 2, mask > 0
    found.label[there][inside] = new
    if found.maps is not None:
        found.maps[there][rim] = patch.maps[here][rim]
    softness = (0.0,) * (mask.ndim - 2) + (SOFT, SOFT)
    soft = ndimage.gaussian_filter((mask > 0).astype(np.float32), softness, mode="constant")
    soft = np.where(rim, np.where(inside, 1.0, soft), 0.0)[..., None].astype(np.float32)
    factor = np.float32(np.exp(rng.uniform(-CONTRAST, CONTRAST)))
    about = {"there": there, "soft": soft, "factor": factor}
    for name in ("image", "clean"):
        if getattr(found, name) is not None:
            blend(getattr(found, name), getattr(patch, name)[here], **about)
    return _copy_partners(patch, found, number=number, new=new, step=move[1] - move[0])


def blend(
    image: np.ndarray,
    nucleus: np.ndarray,
    *,
    there: tuple[slice, ...],
    soft: np.ndarray,
    factor: float,
) -> None:
    """Lay a nucleus over a part of an image; what is around it becomes that of the new place.

    Parameters
    ----------
    image : (*space, C), changed in place.
    nucleus : (*box, C) with what surrounds it.
    there : the box in the image.
    soft : (*box, 1) how much the nucleus counts, 0 … 1.
    factor : by which it stands out more.
    """
    around = soft[..., 0] < 1
    before = np.median(nucleus[around], axis=0)
    after = np.median(image[there][around], axis=0)
    moved = (nucleus - before) * factor + after
    image[there] += soft * (moved - image[there])


def _copy_partners(
    patch: Example, found: Example, *, number: int, new: int, step: np.ndarray
) -> Example:
    """Centre, box and class of the nucleus, for its copy."""
    changes = {}
    if patch.classes is not None and number in patch.classes:
        changes["classes"] = found.classes | {new: patch.classes[number]}
    inside = patch.label == number
    own = _find_points(patch, inside)
    if own.any():
        changes["points"] = np.concatenate([found.points, patch.points[own] + step])
        changes |= _repeat(patch, found, ("point_classes", "point_sizes"), own)
    own = _find_boxes(patch, inside)
    if own.any():
        shift = np.concatenate([np.tile(step[-2:], 2), np.repeat(step[:-2], 2)])
        changes["boxes"] = np.concatenate([found.boxes, patch.boxes[own] + shift])
        changes |= _repeat(patch, found, ("box_classes",), own)
    return replace(found, **changes)


def _repeat(patch: Example, found: Example, names: tuple[str, ...], own: np.ndarray) -> dict:
    """What belongs to points or boxes, with that of the copied ones behind."""
    known = [name for name in names if getattr(found, name) is not None]
    return {
        name: np.concatenate([getattr(found, name), np.asarray(getattr(patch, name))[own]])
        for name in known
    }


def _find_points(patch: Example, inside: np.ndarray) -> np.ndarray:
    """(N,) bool: which points lie in a nucleus."""
    if patch.points is None:
        return np.zeros(0, bool)
    places = np.rint(patch.points).astype(int).clip(0, np.array(inside.shape) - 1)
    return inside[tuple(places.T)]


def _find_boxes(patch: Example, inside: np.ndarray) -> np.ndarray:
    """(N,) bool: which box is that of a nucleus, to a pixel."""
    if patch.boxes is None:
        return np.zeros(0, bool)
    pixels = np.argwhere(inside)
    low, high = pixels.min(axis=0), pixels.max(axis=0) + 1
    edges = np.concatenate([low[-2:], high[-2:], *np.stack([low, high], -1)[:-2]])
    return (np.abs(patch.boxes - edges) <= 1).all(axis=1)
