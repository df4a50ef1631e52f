"""The one tiled prediction: how large a tile, how much margin, run, and put together again.

A tile's margin is at least the radius of the network's receptive field, and its origin lies on the
network's pooling grid; then the tiled output equals the untiled one, pixel for pixel. Where the
field has no bound (instance norm, attention, style), tiles overlap by a quarter and are blended.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nbtools import patches, runtime
from nbtools.errors import UserError
from nbtools.tiling.field import Field, describe_field

__all__ = [
    "Field",
    "Forecast",
    "Plan",
    "Window",
    "describe_field",
    "forecast",
    "forecast_bytes",
    "make_plan",
    "predict",
]

BYTES_A_FEATURE = 4
WORKSPACE = 1.5  # of what the features take: measured, what layers need beside them
DECODING = 40  # bytes a pixel: measured, what a watershed takes beside the maps
SHARE_OF_MEMORY = (
    0.2  # of what is free, for a tile; the rest is for the image, the labels and other programs
)


@dataclass(frozen=True)
class Window:
    """Along one axis: the network sees start … start + size; what it says of low … high is kept."""

    start: int
    low: int
    high: int


@dataclass(frozen=True)
class Plan:
    """Tiles of one size that cover an image.

    shape : spatial shape of the image.
    tile : shape of a tile, a multiple of the grid.
    windows : a list of windows an axis.
    exact : the tiled output equals the untiled one; otherwise tiles overlap and are blended.
    """

    shape: tuple[int, ...]
    tile: tuple[int, ...]
    windows: tuple[tuple[Window, ...], ...]
    exact: bool

    @property
    def tiles(self) -> list[tuple[Window, ...]]:
        return list(itertools.product(*self.windows))

    @property
    def useful_share(self) -> float:
        """Pixels kept over pixels computed."""
        return float(np.prod(self.shape) / (len(self.tiles) * np.prod(self.tile)))


@dataclass(frozen=True)
class Forecast:
    """What a prediction will need: so many tiles, the shape of each, and bytes beyond what the
    program has taken already.

    Examples
    --------
    >>> print(Forecast(12, (16, 64, 64), needed=0.8e9, free=13.1e9))
    12 tiles of 16 x 64 x 64 px, about 0.80 GB of memory (13.1 GB are free)
    """

    tiles: int
    tile: tuple[int, ...]
    needed: float
    free: float

    def __str__(self) -> str:
        count = f"{self.tiles} tiles" if self.tiles > 1 else "1 tile"
        size = " x ".join(map(str, self.tile))
        return (
            f"{count} of {size} px, about {max(self.needed, 1e7) / 1e9:.2f} GB of memory "
            f"({self.free / 1e9:.1f} GB are free)"
        )


def make_plan(shape: tuple[int, ...], field: Field, *, tile: tuple[int, ...] | None = None) -> Plan:
    """Choose tiles for an image: one if memory allows, else the largest that fit.

    shape : spatial shape.
    tile : wished shape of a tile, margin included; rounded up to the grid and to what the margin
        needs.
    """
    grid = np.array(field.grid)
    whole = -(-np.array(shape) // grid) * grid
    margin = (
        -(-np.array(field.radius or np.minimum(whole, tile or 128) // 8) // grid) * grid
    )  # unbounded: an overlap of a quarter
    wished = np.array(tile) if tile is not None else _largest_tile(whole, margin, field)
    size = np.minimum(np.maximum(-(-wished // grid) * grid, 2 * margin + grid), whole)
    lay = _windows if field.radius is not None else _spread
    axes = [
        lay(int(n), int(w), int(t), int(m), int(g))
        for n, w, t, m, g in zip(shape, whole, size, margin, grid, strict=True)
    ]
    return Plan(
        tuple(shape), tuple(t for t, _ in axes), tuple(w for _, w in axes), field.radius is not None
    )


def _windows(
    length: int, whole: int, tile: int, margin: int, grid: int
) -> tuple[int, tuple[Window, ...]]:
    """(size of the tiles, windows) along one axis of `length` pixels, padded to `whole`.

    No window reaches beyond the padded image: at the border the network must pad its layers itself,
    as it does untiled.
    """
    if tile >= whole:
        return whole, (Window(0, 0, length),)
    count = -(-(whole - 2 * margin) // (tile - 2 * margin))
    core = -(-(whole - 2 * margin) // (count * grid)) * grid  # even cores waste least
    tile, windows = core + 2 * margin, []
    for i in range(count):
        start = min(i * core, whole - tile)
        low = 0 if i == 0 else windows[-1].high
        high = length if i == count - 1 else start + tile - margin
        windows.append(Window(start, low, min(high, length)))
    return tile, tuple(w for w in windows if w.high > w.low)


def _spread(
    length: int, whole: int, tile: int, margin: int, grid: int
) -> tuple[int, tuple[Window, ...]]:
    """As `_windows`, for tiles that are blended: of the size asked for, which they look at as a
    whole, and evenly spread.
    """
    if tile >= whole:
        return whole, (Window(0, 0, length),)
    steps = -(-(whole - 2 * margin) // (tile - 2 * margin)) - 1
    starts = [round(i * (whole - tile) / steps / grid) * grid for i in range(steps + 1)]
    return tile, tuple(Window(s, s, min(s + tile, length)) for s in starts)


def forecast_bytes(tile: np.ndarray, field: Field) -> float:
    """Memory a network is expected to take for a tile of this shape."""
    return float(np.prod(np.array(tile, float))) * field.features * BYTES_A_FEATURE * WORKSPACE


def forecast(plan: Plan, field: Field, *, frames: int = 1) -> Forecast:
    """Memory that a prediction takes at most: while tiles are run, or while what they say is
    decoded.

    frames : time points, whose maps are kept until the last one is done.
    """
    pixels = float(np.prod(plan.shape))
    maps = pixels * field.outputs * BYTES_A_FEATURE
    running = forecast_bytes(np.array(plan.tile), field) + (
        maps + pixels * BYTES_A_FEATURE if len(plan.tiles) > 1 else 0
    )
    needed = (frames - 1) * maps + max(running, 2 * maps + pixels * DECODING)
    return Forecast(len(plan.tiles) * frames, plan.tile, needed, float(runtime.memory().available))


def _largest_tile(whole: np.ndarray, margin: np.ndarray, field: Field) -> np.ndarray:
    """Halve the axis with most room until the forecast fits into the memory that is free."""
    tile, least = whole.astype(int), 2 * margin + np.array(field.grid)
    allowed = runtime.memory().available * SHARE_OF_MEMORY
    while forecast_bytes(tile, field) > allowed and (tile > least).any():
        axis = int(np.argmax(tile / least))
        tile[axis] = max(tile[axis] // 2, least[axis])
    return tile


def predict(
    run: Callable[[np.ndarray], np.ndarray],
    pixels: np.ndarray,
    *,
    plan: Plan,
    field: Field,
    step: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Run a network over an image tile by tile.

    run : (*tile, C) → (*tile, K), normalisation included.
    pixels : (*space, C) in any dtype.   Returns (*space, K) float32.
    step : where the network answers for every step-th pixel only, a divisor of its grid; then space
        and tile are so much smaller.
    A tile that does not fit into memory is halved and tried again.
    """
    try:
        return _predict(run, pixels, plan, step or (1,) * len(plan.shape))
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        smaller = make_plan(plan.shape, field, tile=tuple(t // 2 for t in plan.tile))
        if np.prod(smaller.tile) >= np.prod(plan.tile):
            remedy = "Close other programs, or use a machine with more memory."
            raise UserError(
                "One tile of the image must fit into memory.", f"tile {plan.tile}", remedy
            ) from error
    return predict(run, pixels, plan=smaller, field=field, step=step)


def _predict(run: Callable, pixels: np.ndarray, plan: Plan, step: tuple[int, ...]) -> np.ndarray:
    out = weight = None
    shape = tuple(-(-n // s) for n, s in zip(plan.shape, step, strict=True))
    for windows in plan.tiles:
        raw = run(_cut(pixels, plan, windows))
        if len(plan.tiles) == 1:
            return np.ascontiguousarray(raw[tuple(slice(n) for n in shape)], np.float32)
        if out is None:
            out = np.zeros((*shape, raw.shape[-1]), np.float32)
            weight = None if plan.exact else np.zeros((*shape, 1), np.float32)
        coarse = tuple(
            Window(w.start // s, w.low // s, -(-w.high // s))
            for w, s in zip(windows, step, strict=True)
        )
        (_paste if plan.exact else _blend)(out, weight, raw, coarse)
    return out if plan.exact else out / weight


def _cut(pixels: np.ndarray, plan: Plan, windows: tuple[Window, ...]) -> np.ndarray:
    """(*tile, C) of the image; what lies beyond its end is reflected."""
    ends = [min(w.start + t, n) for w, t, n in zip(windows, plan.tile, plan.shape, strict=True)]
    tile = pixels[tuple(slice(w.start, end) for w, end in zip(windows, ends, strict=True))]
    return patches.reflect_pad(
        tile, [(0, w.start + t - end) for w, t, end in zip(windows, plan.tile, ends, strict=True)]
    )


def _paste(out: np.ndarray, _: None, raw: np.ndarray, windows: tuple[Window, ...]) -> None:
    kept = tuple(slice(w.low, w.high) for w in windows)
    out[kept] = raw[tuple(slice(w.low - w.start, w.high - w.start) for w in windows)]


def _blend(
    out: np.ndarray, weight: np.ndarray, raw: np.ndarray, windows: tuple[Window, ...]
) -> None:
    """Add a tile with weights that fall off towards its neighbours, over a quarter of its length.

    Not towards the border of the image: there the network pads its layers as it does untiled, and
    is as right.
    """
    place = tuple(
        slice(w.start, min(w.start + t, n))
        for w, t, n in zip(windows, raw.shape, out.shape, strict=False)
    )
    inside = tuple(slice(p.stop - p.start) for p in place)
    fall = np.ones((1,) * len(windows), np.float32)
    for axis, (size, w) in enumerate(zip(raw.shape[:-1], windows, strict=True)):
        first = np.arange(size) + 0.5 if w.start > 0 else np.full(size, size)
        last = (
            size - 0.5 - np.arange(size)
            if w.start + size < out.shape[axis]
            else np.full(size, size)
        )
        curve = np.minimum(1.0, np.minimum(first, last) / (size / 4)) ** 3
        fall = fall * curve.reshape([-1 if a == axis else 1 for a in range(len(windows))]).astype(
            np.float32
        )
    out[place] += (raw * fall[..., None])[inside]
    weight[place] += fall[..., None][inside]


def _is_out_of_memory(error: Exception) -> bool:
    return (
        isinstance(error, MemoryError)
        or "ResourceExhausted" in type(error).__name__
        or "out of memory" in str(error).lower()
    )
