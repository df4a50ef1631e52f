"""Colours for colour-blind readers, and label colours that differ between neighbours.

References
----------
Okabe and Ito 2008, "Color universal design", https://jfly.uni-koeln.de/color/ (the palette).
"""

from collections.abc import Iterable
from itertools import chain, cycle

import numpy as np
from matplotlib.colors import to_rgb

# Okabe & Ito's set, lightened where it is dark on black, and three more hues; each as red, green,
# blue from 0 to 1.
PALETTE = np.array(
    [
        (0.90, 0.62, 0.00),  # orange
        (0.34, 0.71, 0.91),  # sky blue
        (0.94, 0.89, 0.26),  # yellow
        (0.80, 0.47, 0.65),  # rose
        (0.10, 0.74, 0.55),  # green
        (0.93, 0.42, 0.18),  # vermilion
        (0.42, 0.56, 0.98),  # blue
        (0.68, 0.85, 0.40),  # lime
        (0.98, 0.68, 0.68),  # salmon
        (0.62, 0.92, 0.90),  # aqua
    ]
)

INK, GREY, PALE = "#222222", "#767676", "#e6e6e6"
BLUE, ORANGE, GREEN, ROSE, YELLOW = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e0b000"
METHODS = (BLUE, ORANGE, GREEN, ROSE, YELLOW, "#56b4e9", INK)

# Channels of one image are shown together in these; green and magenta for two, the pair that
# everyone can tell apart.
CHANNELS = {1: ["#ffffff"], 2: ["#00e070", "#ff20ff"], 3: ["#00c8ff", "#ff30c0", "#ffe000"]}
MORE_CHANNELS = ["#00c8ff", "#ff30c0", "#ffe000", "#9090ff", "#60ff60", "#ff8040"]

# From near to far, all of them bright: the eye reads hue as depth and brightness as light.
DEPTH = np.array(
    [
        (0.34, 0.71, 0.95),
        (0.10, 0.80, 0.58),
        (0.94, 0.89, 0.26),
        (0.98, 0.62, 0.10),
        (0.98, 0.36, 0.30),
    ]
)


def depth_colors(share: np.ndarray) -> np.ndarray:
    """Colours (..., 3) from 0 to 1 for depths (...) from 0 (near, blue) to 1 (far, red)."""
    place = np.clip(share, 0, 1) * (len(DEPTH) - 1)
    return np.stack(
        [np.interp(place, np.arange(len(DEPTH)), DEPTH[:, c]) for c in range(3)], axis=-1
    )


def channel_colors(count: int) -> np.ndarray:
    """Colours (count, 3), from 0 to 1, in which the channels of one image are added up."""
    chosen = CHANNELS.get(count) or [MORE_CHANNELS[i % len(MORE_CHANNELS)] for i in range(count)]
    return np.array([to_rgb(color) for color in chosen])


def name_colors(names: Iterable[str]) -> dict[str, str]:
    """A colour for each method, in the order of `METHODS`."""
    return dict(zip(names, cycle(METHODS), strict=False))


def color_labels(label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Choose a colour for each label, unlike those of its neighbours.

    Parameters
    ----------
    label : 2D or 3D array of integers, 0 background.

    Returns
    -------
    dense : labels renumbered 0..N without gaps, in the same shape.
    colors : (N + 1, 3) from 0 to 1, indexed by label; row 0 is black.

    Examples
    --------
    >>> dense, colors = color_labels(np.array([[0, 7, 9]]))
    >>> dense.tolist(), bool((colors[1] != colors[2]).any())
    ([[0, 1, 2]], True)
    """
    dense, count = _renumber(label)
    colors = PALETTE[_color_greedily(_find_neighbours(dense), count + 1)]
    colors[0] = 0
    return dense, colors


def _renumber(label: np.ndarray) -> tuple[np.ndarray, int]:
    """Labels 0..N without gaps, and N; by a table where the numbers are small enough for one."""
    highest = int(label.max(initial=0))
    if highest > 4 * label.size + 1000:
        found, dense = np.unique(label, return_inverse=True)
        dense = dense.reshape(label.shape) + (found[0] != 0)
        return dense, int(dense.max())
    present = np.zeros(highest + 1, bool)
    present[label] = True
    present[0] = False
    return (np.cumsum(present, dtype=np.int32) * present)[label], int(present.sum())


def _find_neighbours(dense: np.ndarray, reach: tuple[int, ...] = (1, 3, 7, 14)) -> np.ndarray:
    """Pairs (P, 2) of labels that lie within a few pixels of each other.

    They are sought along the axes, and the diagonals of the last two.
    """
    count, keys = int(dense.max(initial=0)) + 1, [np.zeros(0, np.int64)]
    for shift in _list_shifts(dense.ndim, reach):
        here = dense[_cut_window(shift, dense.shape, sign=-1)]
        there = dense[_cut_window(shift, dense.shape, sign=1)]
        touching = (here != there) & (here > 0) & (there > 0)
        keys.append(np.unique(here[touching].astype(np.int64) * count + there[touching]))
    return np.stack(np.divmod(np.unique(np.concatenate(keys)), count), axis=1)


def _list_shifts(ndim: int, reach: tuple[int, ...]) -> list[tuple[int, ...]]:
    lead = (0,) * (ndim - 2)
    steps = chain.from_iterable(((r, 0), (0, r), (r, r), (r, -r)) for r in reach)
    return [(*lead, *step) for step in steps] + ([(1, 0, 0), (3, 0, 0)] if ndim == 3 else [])


def _cut_window(shift: tuple[int, ...], shape: tuple[int, ...], *, sign: int) -> tuple[slice, ...]:
    """What overlaps with itself after a shift: its beginning (sign -1) or its end (sign 1)."""
    moves = [sign * s for s in shift]
    return tuple(slice(max(0, m), max(0, min(n, n + m))) for m, n in zip(moves, shape, strict=True))


def _color_greedily(pairs: np.ndarray, count: int) -> np.ndarray:
    """Greedy colouring: each label takes the next colour that no neighbour has.

    Where they have all, it takes the one they have least.
    """
    beside = [[] for _ in range(count)]
    for a, b in pairs.tolist():
        beside[a].append(b)
        beside[b].append(a)
    choice = [-1] * count
    for label in range(1, count):
        taken = [0] * len(PALETTE)
        for other in beside[label]:
            if choice[other] >= 0:
                taken[choice[other]] += 1
        turned = taken[label % len(PALETTE) :] + taken[: label % len(PALETTE)]
        choice[label] = (label + turned.index(min(turned))) % len(PALETTE)
    return np.array(choice)
