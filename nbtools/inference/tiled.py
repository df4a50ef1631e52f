"""The one tiled prediction: how large a tile, how much margin, run, and put together again.

A tile's margin is at least the radius of the network's receptive field, and its origin lies on the
network's pooling grid; then the tiled output equals the untiled one, pixel for pixel. Where the
field has no bound (instance norm, attention, style), tiles overlap by a quarter and are blended.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

from nbtools import patches, runtime
from nbtools.errors import UserError
from nbtools.inference.base import Forecast, Inference, Maps, ReceptiveField, Run

BYTES_PER_FEATURE = 4
WORKSPACE = 1.5  # of what the features take: measured, what layers need beside them
DECODING = 40  # bytes a pixel: measured, what a watershed takes beside the maps
# of what is free, for a tile; the rest is for the image, the labels and other programs
SHARE_OF_MEMORY = 0.2
_FIXED: ContextVar[float | None] = ContextVar("bytes of a tile", default=None)


@contextmanager
def fix_tiles(most: float) -> Iterator[None]:
    """Choose tiles by a number of bytes, in place of the memory that happens to be free.

    Then what several processes make of the same image is the same to the last bit.

    Parameters
    ----------
    most : bytes that the network takes for a tile.
    """
    token = _FIXED.set(most)
    try:
        yield
    finally:
        _FIXED.reset(token)


@dataclass(frozen=True)
class Window:
    """Along one axis: the network is given start … start + size, and low … high is kept."""

    start: int
    low: int
    high: int


@dataclass(frozen=True)
class TilePlan:
    """Tiles of one size that cover an image.

    Parameters
    ----------
    shape : spatial shape of the image.
    tile : shape of a tile, a multiple of the grid.
    windows : a list of windows per axis.
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


def plan_tiles(
    shape: tuple[int, ...], field: ReceptiveField, *, tile: tuple[int, ...] | None = None
) -> TilePlan:
    """Choose tiles for an image: one if memory allows, else the largest that fit.

    Parameters
    ----------
    shape : spatial shape, in pixels.
    field : receptive field of the network; where it has no bound, tiles overlap by a quarter.
    tile : wished shape of a tile, margin included; rounded up to the grid and to what the margin
        needs.
    """
    grid = np.array(field.grid)
    whole = -(-np.array(shape) // grid) * grid
    reach = field.radius
    if reach is None:
        reach = np.minimum(whole, tile or 128) // 8  # unbounded: an overlap of a quarter
    margin = -(-np.array(reach) // grid) * grid
    wished = np.array(tile) if tile is not None else _largest_tile(whole, margin, field)
    size = np.minimum(np.maximum(-(-wished // grid) * grid, 2 * margin + grid), whole)
    lay = _windows if field.radius is not None else _spread
    axes = []
    for numbers in zip(shape, whole, size, margin, grid, strict=True):
        axes.append(lay(*map(int, numbers)))
    sizes, windows = zip(*axes, strict=True)
    return TilePlan(tuple(shape), sizes, windows, field.radius is not None)


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
    """As `_windows`, for tiles that are blended: of the size asked for, evenly spread.

    Each is given to the network as a whole.
    """
    if tile >= whole:
        return whole, (Window(0, 0, length),)
    steps = -(-(whole - 2 * margin) // (tile - 2 * margin)) - 1
    starts = [round(i * (whole - tile) / steps / grid) * grid for i in range(steps + 1)]
    return tile, tuple(Window(s, s, min(s + tile, length)) for s in starts)


def forecast_bytes(tile: np.ndarray, field: ReceptiveField) -> float:
    """Forecast the memory that a network takes for a tile, in bytes.

    Parameters
    ----------
    tile : shape in pixels.
    field : with the features of the network per pixel.
    """
    return float(np.prod(np.array(tile, float))) * field.features * BYTES_PER_FEATURE * WORKSPACE


def forecast(plan: TilePlan, field: ReceptiveField, *, frames: int = 1) -> Forecast:
    """Forecast the most memory that a prediction takes, while tiles run or while maps are decoded.

    Parameters
    ----------
    plan : tiles of one image.
    field : receptive field and features of the network.
    frames : time points, whose maps are kept until the last one is predicted.

    Returns
    -------
    Number and shape of the tiles, and memory in bytes: what is needed, and what is free.
    """
    pixels = float(np.prod(plan.shape))
    maps = pixels * field.outputs * BYTES_PER_FEATURE
    running = forecast_bytes(np.array(plan.tile), field) + (
        maps + pixels * BYTES_PER_FEATURE if len(plan.tiles) > 1 else 0
    )
    needed = (frames - 1) * maps + max(running, 2 * maps + pixels * DECODING)
    return Forecast(len(plan.tiles) * frames, plan.tile, needed, float(runtime.memory().available))


def _largest_tile(whole: np.ndarray, margin: np.ndarray, field: ReceptiveField) -> np.ndarray:
    """Halve the axis with most room until the forecast fits into the memory that is free."""
    tile, least = whole.astype(int), 2 * margin + np.array(field.grid)
    fixed = _FIXED.get()
    allowed = runtime.memory().available * SHARE_OF_MEMORY if fixed is None else fixed
    while forecast_bytes(tile, field) > allowed and (tile > least).any():
        axis = int(np.argmax(tile / least))
        tile[axis] = max(tile[axis] // 2, least[axis])
    return tile


@dataclass(frozen=True)
class Tiled:
    """A network runs over an image tile by tile; one tile where memory allows.

    Parameters
    ----------
    field : the receptive field of the network.
    """

    field: ReceptiveField

    def __call__(
        self, run: Run, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> Maps:
        """(*space, C) → (*space / stride, K) float32, or one such array per output.

        Parameters
        ----------
        run : (*tile, C) → (*tile / stride, K), normalisation included.
        tile : wished shape of a tile in pixels; None chooses by memory.
        """
        plan = plan_tiles(pixels.shape[:-1], self.field, tile=tile)
        return run_tiles(run, pixels, plan=plan, field=self.field)

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """Tiles and memory that an image of this spatial shape takes; nothing is computed."""
        return forecast(plan_tiles(shape, self.field, tile=tile), self.field, frames=frames)


@dataclass(frozen=True)
class FixedTile:
    """Tiles of one size, for networks whose prediction depends on the size of their input.

    The tile that a caller chooses is ignored.
    """

    inner: Inference
    tile: tuple[int, ...]

    def __call__(
        self, run: Run, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> Maps:
        """As that of the inner inference."""
        return self.inner(run, pixels, tile=self.tile)

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """As that of the inner inference."""
        return self.inner.forecast(shape, tile=self.tile, frames=frames)


def run_tiles(run: Run, pixels: np.ndarray, *, plan: TilePlan, field: ReceptiveField) -> Maps:
    """Run a network over an image tile by tile, and put its output together.

    A tile that does not fit into memory is halved and tried again.

    Parameters
    ----------
    run : (*tile, C) → (*tile / stride, K), or one such array per output; strides divide the grid
        of the field.
    pixels : (*space, C) in any dtype.
    plan : tiles of the image.
    field : receptive field of the network, to plan smaller tiles with.

    Returns
    -------
    (*space / stride, K) float32, or one such array per output.

    Raises
    ------
    UserError : not even the smallest tile fits into memory.
    """
    try:
        return _run_tiles(run, pixels, plan)
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        smaller = plan_tiles(plan.shape, field, tile=tuple(t // 2 for t in plan.tile))
        if np.prod(smaller.tile) >= np.prod(plan.tile):
            remedy = "Close other programs, or use a machine with more memory."
            raise UserError(
                "One tile of the image must fit into memory.", f"tile {plan.tile}", remedy
            ) from error
    return run_tiles(run, pixels, plan=smaller, field=field)


def _run_tiles(run: Run, pixels: np.ndarray, plan: TilePlan) -> Maps:
    canvases: dict[str, _Canvas] = {}
    single = False
    for windows in plan.tiles:
        raw = run(_cut(pixels, plan, windows))
        single = not isinstance(raw, Mapping)
        for name, array in ({"": raw} if single else raw).items():
            if name not in canvases:
                canvases[name] = _Canvas(plan, array)
            canvases[name].add(array, windows)
    found = {name: canvas.finish() for name, canvas in canvases.items()}
    return found[""] if single else found


class _Canvas:
    """One output of a network on the grid of the image, filled tile by tile."""

    def __init__(self, plan: TilePlan, raw: np.ndarray):
        self.plan = plan
        # where the network predicts every n-th pixel only, its tile is so much smaller
        self.stride = tuple(t // n for t, n in zip(plan.tile, raw.shape, strict=False))
        self.shape = tuple(-(-n // s) for n, s in zip(plan.shape, self.stride, strict=True))
        self.out = self.weight = None
        if len(plan.tiles) > 1:
            self.out = np.zeros((*self.shape, raw.shape[-1]), np.float32)
            self.weight = None if plan.exact else np.zeros((*self.shape, 1), np.float32)

    def add(self, raw: np.ndarray, windows: tuple[Window, ...]) -> None:
        if self.out is None:
            whole = raw[tuple(slice(n) for n in self.shape)]
            self.out = np.ascontiguousarray(whole, np.float32)
            return
        coarse = []
        for w, s in zip(windows, self.stride, strict=True):
            coarse.append(Window(w.start // s, w.low // s, -(-w.high // s)))
        if self.plan.exact:
            _paste(self.out, raw, coarse)
        else:
            _blend(self.out, self.weight, raw=raw, windows=coarse)

    def finish(self) -> np.ndarray:
        return self.out if self.weight is None else self.out / self.weight


def _cut(pixels: np.ndarray, plan: TilePlan, windows: tuple[Window, ...]) -> np.ndarray:
    """(*tile, C) of the image; what lies beyond its end is reflected."""
    place, beyond = [], []
    for w, size, length in zip(windows, plan.tile, plan.shape, strict=True):
        end = min(w.start + size, length)
        place.append(slice(w.start, end))
        beyond.append((0, w.start + size - end))
    return patches.reflect_pad(pixels[tuple(place)], beyond)


def _paste(out: np.ndarray, raw: np.ndarray, windows: list[Window]) -> None:
    kept = tuple(slice(w.low, w.high) for w in windows)
    out[kept] = raw[tuple(slice(w.low - w.start, w.high - w.start) for w in windows)]


def _blend(out: np.ndarray, weight: np.ndarray, *, raw: np.ndarray, windows: list[Window]) -> None:
    """Add a tile with weights that fall off towards its neighbours, over a quarter of its length.

    Not towards the border of the image: there the network pads its layers as it does untiled, and
    is as right.
    """
    place, fall = [], np.ones((1,) * len(windows), np.float32)
    for axis, (size, w) in enumerate(zip(raw.shape[:-1], windows, strict=True)):
        place.append(slice(w.start, min(w.start + size, out.shape[axis])))
        first = last = np.full(size, size)
        if w.start > 0:
            first = np.arange(size) + 0.5
        if w.start + size < out.shape[axis]:
            last = size - 0.5 - np.arange(size)
        curve = np.minimum(1.0, np.minimum(first, last) / (size / 4)) ** 3
        along = [-1 if a == axis else 1 for a in range(len(windows))]
        fall = fall * curve.reshape(along).astype(np.float32)
    inside = tuple(slice(p.stop - p.start) for p in place)
    out[tuple(place)] += (raw * fall[..., None])[inside]
    weight[tuple(place)] += fall[..., None][inside]


def _is_out_of_memory(error: Exception) -> bool:
    return (
        isinstance(error, MemoryError)
        or "ResourceExhausted" in type(error).__name__
        or "out of memory" in str(error).lower()
    )
