"""Layout of a volume on a flat picture: maximum projections left, slices right, square pixels."""

from __future__ import annotations

from itertools import chain

import numpy as np

GAP = 4  # pixels between the panels
Rows = list[list[np.ndarray | None]]


def make_pixels_square(
    plane: np.ndarray, spacing: tuple[float, ...], *, thin: int = 1
) -> np.ndarray:
    """Repeat rows or columns of a plane until its pixels are square.

    Parameters
    ----------
    plane : (H, W, ...) array.
    spacing : relative pixel size along both axes; the smaller is 1.
    thin : keep every n-th pixel.
    """
    rows, columns = (
        _repeat_indices(n, s)[::thin] for n, s in zip(plane.shape[:2], spacing, strict=True)
    )
    return plane[rows][:, columns]


def choose_slices(label: np.ndarray | None, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Choose the planes (z, y, x) through the middle of the labelled voxels, else of the volume."""
    if label is None or not label.any():
        return tuple(n // 2 for n in shape)
    filled = [
        np.count_nonzero(label, axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)
    ]
    return tuple(int(np.searchsorted(np.cumsum(f), f.sum() / 2)) for f in filled)


def make_panels(
    volume: np.ndarray, cuts: tuple[int, ...], *, spacing: tuple[float, ...], thin: int = 1
) -> Rows:
    """Make the five panels of a volume, in two rows.

    Above: maximum along z, slice z, slice x. Below: maximum along y, slice y, None.

    Parameters
    ----------
    volume : (Z, Y, X, ...) array.
    cuts : planes (z, y, x) of the slices.
    spacing : relative pixel size along z, y, x; the smallest is 1.
    thin : keep every n-th pixel.
    """
    sz, sy, sx = spacing
    above, below = make_slices(volume, cuts, spacing=spacing, thin=thin)
    first = make_pixels_square(volume.max(axis=0), (sy, sx), thin=thin)
    return [[first, *above], [make_pixels_square(volume.max(axis=1), (sz, sx), thin=thin), *below]]


def make_slices(
    volume: np.ndarray, cuts: tuple[int, ...], *, spacing: tuple[float, ...], thin: int = 1
) -> Rows:
    """Make the three slices of a volume (Z, Y, X, ...) through one place, in two rows.

    Above: slice z (rows y, columns x), slice x (rows y, columns z). Below: slice y (rows z, columns
    x), None.

    Parameters
    ----------
    volume, cuts, spacing, thin : as `make_panels` takes them.
    """
    z, y, x = cuts
    sz, sy, sx = spacing
    return [
        [
            make_pixels_square(volume[z], (sy, sx), thin=thin),
            make_pixels_square(volume[:, :, x].swapaxes(0, 1), (sy, sz), thin=thin),
        ],
        [make_pixels_square(volume[:, y], (sz, sx), thin=thin), None],
    ]


def assemble(rows: Rows, *, blank: int = 0) -> np.ndarray:
    """Assemble panels in one array, with gaps of the value `blank` between them."""
    first = rows[0][0]
    height = sum(row[0].shape[0] for row in rows) + GAP
    width = sum(p.shape[1] for p in rows[0]) + 2 * GAP
    montage = np.full((height, width, *first.shape[2:]), blank, first.dtype)
    for (left, top), panel in zip(panel_corners(rows), chain.from_iterable(rows), strict=True):
        if panel is not None:
            montage[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
    return montage


def panel_corners(rows: Rows) -> list[tuple[int, int]]:
    """Left and top pixel of each panel, row by row."""
    places, top = [], 0
    for row in rows:
        left = 0
        for c in range(len(row)):
            places.append((left, top))
            left += rows[0][c].shape[1] + GAP
        top += row[0].shape[0] + GAP
    return places


def name_panels(cuts: tuple[int, ...]) -> list[str]:
    """Names of the panels, row by row; empty where there is none."""
    z, y, x = cuts
    return ["maximum along z", f"z = {z}", f"x = {x}", "maximum along y", f"y = {y}", ""]


def _repeat_indices(count: int, scale: float) -> np.ndarray:
    return np.minimum((np.arange(max(1, round(count * scale))) / scale).astype(int), count - 1)
