"""Scribbles like those of a person: short strokes inside nuclei and on the background."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nbtools.errors import UserError
from nbtools.geometry import number_densely
from nbtools.image import Image

LENGTH = (8, 40)  # px of a stroke
WIDTH = 1.0  # px on either side of its middle line
TURN = 0.25  # rad between two steps, standard deviation: strokes are bent, not shaken
NEAR = 8  # px from a nucleus within which half of the strokes on background begin
FULL = 0.5  # share of the nuclei, and of the background, that is scribbled on at most


def draw_strokes(label: Image, *, share: float = 0.01, rng: np.random.Generator) -> Image:
    """Draw scribbles that agree with a label image.

    Half of the scribbled pixels lie on nuclei, half on background. In a volume each stroke lies in
    one plane, since people draw in planes. Strokes keep about a pixel away from borders where there
    is room.

    Parameters
    ----------
    label : 2D or 3D label image, 0 background.
    share : of all pixels that are scribbled on, about.
    rng : random numbers.

    Returns
    -------
    Image : -1 not scribbled, 0 background, and on nuclei their number.

    Raises
    ------
    UserError : a share that is not between 0 and a half.

    Examples
    --------
    >>> square = np.zeros((64, 64), np.int32)
    >>> square[20:40, 20:40] = 3
    >>> drawn = draw_strokes(Image(square, "YX"), share=0.05, rng=np.random.default_rng(0)).pixels
    >>> np.unique(drawn).tolist(), bool((drawn[drawn >= 0] == square[drawn >= 0]).all())
    ([-1, 0, 3], True)
    """
    if not 0 < share <= 0.5:
        raise UserError(
            "The share of scribbled pixels must be above 0 and at most 0.5.", share, "Use 0.01."
        )
    found = label.to("ZYX" if "Z" in label.axes else "YX")
    truth = np.maximum(found.pixels, 0).reshape(-1, *found.shape[-2:])
    truth = truth.astype(np.int32 if truth.max(initial=0) < 2**31 else np.int64)
    drawn = np.zeros(truth.shape, bool)
    wanted = share * truth.size / 2
    for region, starts in ((truth > 0, _inside_nuclei(truth)), (truth == 0, _on_background(truth))):
        _fill(drawn, region, starts, wanted=min(wanted, FULL * region.sum()), rng=rng)
    return found.replace(pixels=np.where(drawn, truth, -1).reshape(found.shape))


def _inside_nuclei(truth: np.ndarray) -> list[np.ndarray]:
    """Pixels (n, 3) where strokes may begin: inner ones of each nucleus, or all of a thin one."""
    truth, _ = number_densely(truth)
    inner = _erode(truth)
    starts = []
    for i, place in enumerate(ndimage.find_objects(truth), start=1):
        if place is not None:
            own = np.argwhere(inner[place] == i)
            own = own if len(own) else np.argwhere(truth[place] == i)
            starts.append(own + [s.start for s in place])
    return starts


def _on_background(truth: np.ndarray) -> list[np.ndarray]:
    """Two lists of pixels (n, 3): near nuclei, and anywhere on the background."""
    away = np.full(truth.shape, np.inf)
    for distance, plane in zip(away, truth, strict=True):
        if plane.any():
            distance[:] = ndimage.distance_transform_edt(plane == 0)
    lists = [np.argwhere((away > 1.5) & (away <= NEAR)), np.argwhere(away > 1.5)]
    return [starts for starts in lists if len(starts)] or [np.argwhere(truth == 0)]


def _erode(truth: np.ndarray) -> np.ndarray:
    """Labels without the pixels that touch another label or background in their plane."""
    size = (1, 3, 3)
    same = ndimage.minimum_filter(truth, size, mode="nearest") == ndimage.maximum_filter(
        truth, size, mode="nearest"
    )
    return np.where(same, truth, 0)


def _fill(
    drawn: np.ndarray,
    region: np.ndarray,
    starts: list[np.ndarray],
    *,
    wanted: float,
    rng: np.random.Generator,
) -> None:
    """Draw strokes from one list of starts after the other, until enough pixels are covered."""
    done = 0
    order = []
    while starts and done < wanted:
        order = order or list(rng.permutation(len(starts)))
        choice = starts[order.pop()]
        z, y, x = choice[rng.integers(len(choice))]
        stroke = _draw_stroke(region[z], (y, x), most=wanted - done, rng=rng)
        done += int(np.count_nonzero(~drawn[z][stroke]))
        drawn[z][stroke] = True


def _draw_stroke(
    allowed: np.ndarray, start: tuple[int, int], *, most: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a bent line, which ends where allowed pixels end, (H, W) bool."""
    place = np.array(start, float)
    angle = rng.uniform(0, 2 * np.pi)
    reach = int(np.ceil(WIDTH))
    brush = (
        np.argwhere(np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= WIDTH) - reach
    )
    pixels = {tuple(start)}
    for _ in range(rng.integers(*LENGTH)):
        dots = np.round(place).astype(int) + brush
        dots = dots[((dots >= 0) & (dots < allowed.shape)).all(axis=1)]
        if not allowed[tuple(dots.T)].all():
            break
        pixels.update(map(tuple, dots))
        if len(pixels) >= most:
            break
        angle += rng.normal(0, TURN)
        place += np.sin(angle), np.cos(angle)
        if (place < 0).any() or (place > np.array(allowed.shape) - 1).any():
            break
    return tuple(np.array(sorted(pixels)).T)
