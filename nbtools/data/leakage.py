"""Related images: adjacent tiles of one field, found by their borders, and near copies.

Related images in two parts of a split make a score too good. Only pixels are compared, neither
names nor tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from nbtools.image import Image

SHORTEST_EDGE = 64  # px; shorter borders are alike by chance
LEAST_LIKENESS = 0.75  # correlation of two borders
# ahead of the next best pair of either border: large sets hold borders that are alike by chance
LEAST_LEAD = 0.1
THUMBNAIL = 16  # px
LEAST_THUMBNAIL = 0.97  # correlation of thumbnails from which pixels are compared
LEAST_COPY = 0.95  # correlation of pixels
# pairs per image whose pixels are compared: crops of single cells all have similar thumbnails
MOST_COMPARED = 3
BLOCK = 2048
ORIENTATIONS: tuple[Callable[[np.ndarray], np.ndarray], ...] = tuple(
    (lambda a, step=step, k=k: np.rot90(a[:, ::step], k))
    for step, k in product((1, -1), range(4))  # flipped or not, rotated by 90 degrees k times
)


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What related images are recognised by.

    Parameters
    ----------
    edges : the four borders, by side ("t", "b", "l", "r"), as logarithms of grey values; {} where
        the image is small.
    thumbnail : (16, 16), mean 0 and standard deviation 1; None where the image is flat or small.
    """

    edges: dict[str, np.ndarray]
    thumbnail: np.ndarray | None


def take_fingerprint(image: Image) -> Fingerprint:
    """Borders and thumbnail of an image; a volume, a movie or channels are averaged first."""
    plane = flatten(image)
    if not np.isfinite(plane).all():
        return Fingerprint({}, None)
    edges = {}
    if min(plane.shape) >= SHORTEST_EDGE:
        scale = (0, 1) if image.pixels.dtype == np.uint8 else _find_scale(plane)
        lines = {"t": plane[0], "b": plane[-1], "l": plane[:, 0], "r": plane[:, -1]}
        edges = {
            side: np.log1p(np.maximum(line - scale[0], 0) * scale[1])
            for side, line in lines.items()
        }
    return Fingerprint(edges, _shrink(plane))


def flatten(image: Image) -> np.ndarray:
    """Grey values, (Y, X) float32; other axes are averaged."""
    pixels = np.asarray(image.pixels)
    others = tuple(i for i, a in enumerate(image.axes) if a not in "YX")
    plane = pixels.mean(axis=others, dtype=np.float32) if others else pixels.astype(np.float32)
    return plane.T if image.axes.index("X") < image.axes.index("Y") else plane


def find_adjacent_tiles(fingerprints: Sequence[Fingerprint | None]) -> list[tuple[int, int]]:
    """Find pairs of images of which one continues the other across a border.

    Borders are compared twice: without their mean and trend, and without mean, trend and curvature,
    since uneven illumination makes borders of unrelated images alike. The mean of the two
    correlations counts. It must be high, and clearly higher than that of any other pair with one of
    the borders.

    Parameters
    ----------
    fingerprints : of the images; None for images that are left out.

    Returns
    -------
    Pairs of indices, the smaller first.
    """
    pairs = set()
    for side, other in (("r", "l"), ("b", "t")):
        by_length: dict[int, list[int]] = defaultdict(list)
        for i, fingerprint in enumerate(fingerprints):
            if fingerprint is not None and fingerprint.edges:
                by_length[len(fingerprint.edges[side])].append(i)
        for items in by_length.values():
            ends, starts = (
                np.array([fingerprints[i].edges[s] for i in items]) for s in (side, other)
            )
            pairs |= {tuple(sorted((items[i], items[j]))) for i, j in _match(ends, starts)}
    return sorted(pairs)


def find_near_copies(
    fingerprints: Sequence[Fingerprint | None], read: Callable[[int], Image]
) -> list[tuple[int, int]]:
    """Find pairs of images that show the same.

    Copies may be exact, brighter, noisier, compressed, rescaled, rotated or flipped.

    Parameters
    ----------
    fingerprints : of the images; None for images that are left out.
    read : index → image; only images with similar thumbnails are read.

    Returns
    -------
    Pairs of indices, the smaller first.
    """
    items = [i for i, s in enumerate(fingerprints) if s is not None and s.thumbnail is not None]
    if len(items) < 2:
        return []
    plain = np.array([fingerprints[i].thumbnail for i in items])
    found: dict[tuple[int, int], dict[int, float]] = {}
    for number, turn in enumerate(ORIENTATIONS):
        turned = np.array([turn(t) for t in plain]).reshape(len(items), -1)
        likeness = plain.reshape(len(items), -1) @ turned.T / THUMBNAIL**2
        places = np.argwhere(np.triu(likeness, 1) > LEAST_THUMBNAIL)
        for i, j in places[np.argsort(-likeness[tuple(places.T)])][: MOST_COMPARED * len(items)]:
            found.setdefault((items[i], items[j]), {})[number] = likeness[i, j]
    likely = sorted(found, key=lambda pair: -max(found[pair].values()))[
        : MOST_COMPARED * len(items)
    ]
    return sorted(
        pair for pair in likely if _is_copy(read(pair[0]), read(pair[1]), turns=list(found[pair]))
    )


def _find_scale(plane: np.ndarray) -> tuple[float, float]:
    """Darkest value, and the factor that scales the range from there to 255."""
    low, high = np.percentile(plane[:: max(1, len(plane) // 256)], (0.1, 99.9))
    return float(low), 255 / max(float(high - low), 1e-12)


def _match(ends: np.ndarray, starts: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of rows of `ends` and of `starts` that continue each other."""
    ends, starts = ([_normalise(edges, degree) for degree in (1, 2)] for edges in (ends, starts))
    count, length = ends[0].shape
    best_start = np.full((2, count), -1.0, np.float32)  # the best two of each column
    candidates = []
    for first in range(0, count, BLOCK):
        block = slice(first, first + BLOCK)
        likeness = sum(e[block] @ s.T for e, s in zip(ends, starts, strict=True)) / (2 * length)
        rows = np.arange(len(likeness))
        likeness[rows, first + rows] = -1  # no image continues itself
        top = np.partition(np.pad(likeness, ((0, 0), (0, 2)), constant_values=-1), -2, axis=1)[
            :, -2:
        ]
        best_start = np.partition(np.vstack([best_start, likeness]), -2, axis=0)[-2:]
        rows, columns = np.nonzero(
            (likeness >= LEAST_LIKENESS)
            & (likeness >= top[:, 1:])
            & (likeness - top[:, :1] >= LEAST_LEAD)
        )
        candidates += [(first + i, j, likeness[i, j]) for i, j in zip(rows, columns, strict=True)]
    return [
        (i, j)
        for i, j, value in candidates
        if value >= best_start[1, j] and value - best_start[0, j] >= LEAST_LEAD
    ]


def _normalise(edges: np.ndarray, degree: int) -> np.ndarray:
    """Rows without their polynomial trend, with standard deviation 1; flat rows become zeros."""
    place = np.linspace(-1, 1, edges.shape[1], dtype=np.float32)
    basis, _ = np.linalg.qr(np.stack([place**d for d in range(degree + 1)], axis=1))
    edges = edges - (edges @ basis) @ basis.T
    deviation = edges.std(axis=1, keepdims=True)
    return np.where(deviation > 1e-3, edges / np.maximum(deviation, 1e-3), 0).astype(np.float32)


def _shrink(plane: np.ndarray) -> np.ndarray | None:
    """Means of 16 x 16 fields, standardised; None for a flat or small image."""
    if min(plane.shape) < SHORTEST_EDGE:
        return None
    for axis, size in enumerate(plane.shape):
        starts = np.arange(THUMBNAIL) * size // THUMBNAIL
        counts = np.diff(np.append(starts, size)).astype(np.float32)
        plane = np.add.reduceat(plane, starts, axis=axis) / (
            counts[:, None] if axis == 0 else counts
        )
    deviation = plane.std()
    return (
        (plane - plane.mean()) / deviation if deviation > 1e-6 * (1 + abs(plane.mean())) else None
    )


def _is_copy(one: Image, other: Image, *, turns: Sequence[int]) -> bool:
    """Whether the pixels agree in one of these orientations; the larger image is shrunk first."""
    first = flatten(one)
    for number in turns:
        second = ORIENTATIONS[number](flatten(other))
        size = np.minimum(first.shape, second.shape)
        ratios = np.divide(first.shape, second.shape)
        if abs(ratios[0] / ratios[1] - 1) > 0.05:
            continue  # another aspect ratio
        first_small, second_small = (_sample(p, size) for p in (first, second))
        if np.corrcoef(first_small.ravel(), second_small.ravel())[0, 1] > LEAST_COPY:
            return True
    return False


def _sample(plane: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The plane at `size` pixels, the value at the centre of each, smoothed where it shrinks."""
    from scipy import ndimage

    factors = np.divide(plane.shape, size)
    # noise differs between copies
    plane = ndimage.gaussian_filter(plane, np.maximum(factors, 2) / 2)
    rows, columns = (
        ((np.arange(n) + 0.5) * f).astype(int) for n, f in zip(size, factors, strict=True)
    )
    return plane[np.ix_(rows, columns)]
