"""Scores of restored images: PSNR, SSIM, RMSE, NRMSE, and PSNR after the best linear fit.

*Range* is the span of grey values that errors are compared with in PSNR and SSIM: a number (255
for 8-bit images), or "clean": maximum minus minimum of each clean image. The same result scores
higher with a larger range, so a PSNR means nothing without its range. *rmse* is in grey values.
*nrmse* is rmse divided by maximum minus minimum of the clean image, whatever the range. *psnr_si*
(scale-invariant) is the PSNR of a * restored + b, with the a and b that fit the clean image best:
for methods that do not preserve the grey values of the camera.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import bootstrap

METRICS = ("psnr", "ssim", "rmse", "nrmse", "psnr_si")
SIGMA, REACH = 1.5, 5  # px; width and reach of the window of Wang et al. 2004
MAX_DB = 100.0  # PSNR of a perfect image in tables and means: JSON has no infinity

Pixels = np.ndarray | Image


@dataclass(frozen=True, eq=False)
class Pair:
    """A restored and a clean image of equal shape, as real numbers.

    Parameters
    ----------
    restored, clean : (*axes) grey values.
    range : span of grey values that errors are compared with.
    stacked : indices of the axes that are not spatial (time, channels).
    """

    restored: np.ndarray
    clean: np.ndarray
    range: float
    stacked: tuple[int, ...] = ()  # which axes are not spatial: time, channels

    @classmethod
    def of(cls, restored: Pixels, clean: Pixels, *, range: float | str = "clean") -> Pair:
        """Pair two images that can be compared; arrays are taken to have spatial axes only.

        Parameters
        ----------
        restored, clean : images, arrays or paths of equal shape; axes of an Image are reordered to
            those of `clean`.
        range : a number above 0, or "clean".

        Raises
        ------
        UserError : shapes differ, grey values are not finite, or the range is invalid.
        """
        restored, clean = _read(restored), _read(clean)
        if isinstance(restored, Image) and isinstance(clean, Image):
            restored = restored.to(clean.axes)
        stacked = (
            tuple(i for i, a in enumerate(clean.axes) if a in "TC")
            if isinstance(clean, Image)
            else ()
        )
        one, other = _to_real(restored), _to_real(clean)
        if one.shape != other.shape:
            raise UserError(
                "A restored and a clean image must have the same shape.",
                f"{one.shape} and {other.shape}",
                "Compare an image with its own clean partner, not cropped or scaled.",
            )
        return cls(one, other, find_range(other, range), stacked)


def find_range(clean: np.ndarray, range: float | str = "clean") -> float:
    """Return the range: the given number, or maximum minus minimum of the clean image.

    Parameters
    ----------
    clean : grey values.
    range : a number above 0, or "clean".

    Raises
    ------
    UserError : the range is neither a number above 0 nor "clean".

    Examples
    --------
    >>> find_range(np.array([[10.0, 250.0]])), find_range(np.array([[10.0, 250.0]]), 255)
    (240.0, 255.0)
    """
    if range == "clean":
        return float(clean.max() - clean.min())
    if isinstance(range, str) or not (math.isfinite(range) and range > 0):
        raise UserError(
            'The range must be a number above 0, or "clean".',
            repr(range),
            "Use 255 for 8-bit images, or leave it out.",
        )
    return float(range)


def rmse(restored: Pixels, clean: Pixels) -> float:
    """Compute the root mean squared difference, in grey values.

    Parameters
    ----------
    restored, clean : equal shape, any axes.

    Raises
    ------
    UserError : shapes differ, or grey values are not finite.

    Examples
    --------
    >>> round(rmse(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]])) ** 2, 6)
    2.0
    """
    return _rmse(Pair.of(restored, clean))


def nrmse(restored: Pixels, clean: Pixels) -> float:
    """Compute the RMSE divided by maximum minus minimum of the clean image.

    Parameters
    ----------
    restored, clean : equal shape, any axes.

    Returns
    -------
    The ratio; NaN where the clean image has a single grey value.

    Raises
    ------
    UserError : shapes differ, or grey values are not finite.
    """
    pair = Pair.of(restored, clean)
    return _rmse(pair) / pair.range if pair.range > 0 else math.nan


def psnr(restored: Pixels, clean: Pixels, *, range: float | str = "clean") -> float:
    """Compute the peak signal-to-noise ratio: 20 log10(range / rmse).

    Parameters
    ----------
    restored, clean : equal shape, any axes.
    range : a number above 0, or "clean" for maximum minus minimum of the clean image.

    Returns
    -------
    dB; infinity for equal images, NaN where the range is 0.

    Raises
    ------
    UserError : shapes differ, grey values are not finite, or the range is invalid.

    Examples
    --------
    >>> round(psnr(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]), range=255), 2)
    45.12
    """
    return _psnr(Pair.of(restored, clean, range=range))


def psnr_si(restored: Pixels, clean: Pixels, *, range: float | str = "clean") -> float:
    """Compute the PSNR after the least-squares fit a * restored + b to the clean image.

    Brightness and contrast of the restored image do not count. A negative a is allowed: an inverted
    image scores as its original.

    Parameters
    ----------
    restored, clean, range : as in `psnr`.

    Returns
    -------
    dB; infinity for a perfect fit, NaN where the range is 0.

    References
    ----------
    Weigert et al. 2018, doi:10.1038/s41592-018-0216-7 (scale-invariant comparison).
    """
    return _psnr(_fit(Pair.of(restored, clean, range=range)))


def ssim(restored: Pixels, clean: Pixels, *, range: float | str = "clean") -> float:
    """Compute the mean structural similarity: Gaussian window of 1.5 px, population covariance.

    The mean leaves out the 5 px at the borders, where the window does not fit. Volumes have a 3D
    window. Along an axis shorter than the window (a stack of few planes) the image is mirrored and
    all of it counts.

    Parameters
    ----------
    restored, clean, range : as in `psnr`.

    Returns
    -------
    Similarity, at most 1 (equal images); NaN where the range is 0.

    Raises
    ------
    UserError : shapes differ, grey values are not finite, or the range is invalid.

    References
    ----------
    Wang et al. 2004, doi:10.1109/TIP.2003.819861.
    """
    return _ssim(Pair.of(restored, clean, range=range))[0]


def ssim_map(restored: Pixels, clean: Pixels, *, range: float | str = "clean") -> np.ndarray:
    """Compute the SSIM of each pixel, in the shape of the images, for figures.

    Parameters
    ----------
    restored, clean, range : as in `psnr`.
    """
    return _ssim(Pair.of(restored, clean, range=range))[1]


def difference_map(restored: Pixels, clean: Pixels) -> np.ndarray:
    """Compute restored minus clean, in grey values: added signal is positive, lost signal negative.

    Parameters
    ----------
    restored, clean : equal shape, any axes.
    """
    pair = Pair.of(restored, clean)
    return pair.restored - pair.clean


def compare_images(
    restored: Pixels, clean: Pixels, *, range: float | str = "clean"
) -> dict[str, float]:
    """Compute all metrics of one image, and the range they were computed with.

    Parameters
    ----------
    restored, clean, range : as in `psnr`.

    Returns
    -------
    Metric to value; an infinite PSNR becomes MAX_DB.

    Raises
    ------
    UserError : shapes differ, grey values are not finite, or the range is invalid.

    Examples
    --------
    >>> scores = compare_images(np.eye(12), np.eye(12))
    >>> scores["psnr"], scores["ssim"], scores["range"]
    (100.0, 1.0, 1.0)
    """
    pair = Pair.of(restored, clean, range=range)
    spread, error = find_range(pair.clean), _rmse(pair)
    return {
        "psnr": min(_psnr(pair), MAX_DB),
        "ssim": _ssim(pair)[0],
        "rmse": error,
        "nrmse": error / spread if spread > 0 else math.nan,
        "psnr_si": min(_psnr(_fit(pair)), MAX_DB),
        "range": pair.range,
    }


def evaluate(
    pairs: Iterable[tuple[str, Pixels, Pixels | None, Pixels | None]],
    *,
    range: float | str = "clean",
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Score a set of restored images beside their unprocessed input.

    Parameters
    ----------
    pairs : (name, clean, restored, input). Restored is None where an image has no result: its name
        is listed under `missing`, and neither it nor its input enters a mean. Input is None where
        it is not available.
    range : a number above 0, or "clean", as explained in the module.
    groups : name of an image to its group (scene, embryo, patient); the bootstrap draws whole
        groups.
    seed : of the bootstrap.

    Returns
    -------
    Plain JSON values: `task`, `images` (number of clean ones), `mean` over those with a result,
    `input` (the same for the unprocessed images; None without), `gain` (mean PSNR above that of the
    input, with its paired interval; None without), `range` in words, `missing`, `interval_95` of
    each mean (bootstrap over images or groups; None where there is only one) and one row per image.
    A value that does not exist (the clean image has a single grey value) is None, and its image is
    listed under `undefined`.

    Raises
    ------
    UserError : no images, shapes differ, grey values are not finite, or the range is invalid.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((16, 16))
    >>> evaluate([("a", image, image, None), ("b", image, None, None)])["missing"]
    ['b']
    """
    rows, before, missing = [], [], []
    for name, clean, restored, unprocessed in pairs:
        if restored is None:
            missing.append(name)
            continue
        rows.append({"name": name, **compare_images(restored, clean, range=range)})
        before.append(
            None if unprocessed is None else compare_images(unprocessed, clean, range=range)
        )
    if not rows and not missing:
        raise UserError(
            "At least one clean image is needed to evaluate a result.",
            "none",
            "Check the folder with the clean images.",
        )
    known = [b for b in before if b is not None]
    return {
        "task": "restoration",
        "images": len(rows) + len(missing),
        "mean": _average(rows),
        "input": _average(known) if known else None,
        "gain": _find_gain(rows, before, groups=groups, seed=seed) if known else None,
        "range": "maximum - minimum of each clean image" if range == "clean" else f"{range:g}",
        "interval_95": find_intervals(rows, METRICS, groups=groups, seed=seed),
        "interval_units": bootstrap.describe_units([row["name"] for row in rows], groups),
        "missing": missing,
        "undefined": [
            row["name"] for row in rows if not all(math.isfinite(row[m]) for m in METRICS)
        ],
        "per_image": [
            _as_json(r | ({"input": b} if b else {})) for r, b in zip(rows, before, strict=True)
        ],
    }


def find_intervals(
    rows: list[dict],
    metrics: Iterable[str],
    *,
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict[str, list[float] | None]:
    """Compute the 95 % interval of the mean of each metric over images.

    Parameters
    ----------
    rows : one per image, with its `name` where there are groups; for two methods, rows of their
        differences.
    metrics : keys of the rows.
    groups, seed : of the bootstrap, see `evaluate`.

    Returns
    -------
    Metric to [low, high]; None with fewer than two images or groups.

    Examples
    --------
    >>> find_intervals([{"psnr": 31.0}, {"psnr": 31.0}], ["psnr"])
    {'psnr': [31.0, 31.0]}
    """
    return {metric: _find_interval(rows, metric, groups=groups, seed=seed) for metric in metrics}


def _find_interval(
    rows: list[dict], metric: str, *, groups: Mapping[str, object] | None, seed: int
) -> list[float] | None:
    rows = [row for row in rows if math.isfinite(row[metric])]
    if not rows:
        return None
    units = bootstrap.find_units([row.get("name", str(i)) for i, row in enumerate(rows)], groups)
    table = np.array([[row[metric], 1.0] for row in rows])
    return bootstrap.find_intervals(
        table, lambda sums: {metric: sums[..., 0] / sums[..., 1]}, units=units, seed=seed
    )[metric]


def _read(image: Pixels | str | Path) -> Pixels:
    return io.read_image(image) if isinstance(image, str | Path) else image


def _to_real(image: Pixels) -> np.ndarray:
    image = _read(image)
    pixels = image.pixels if isinstance(image, Image) else np.asarray(image)
    pixels = pixels.astype(np.float64)
    if not pixels.size or not np.isfinite(pixels).all():
        raise UserError(
            "Images that are compared need finite grey values.",
            "NaN, infinity or no pixels",
            "Check the result: a network that has diverged predicts NaN.",
        )
    return pixels


def _rmse(pair: Pair) -> float:
    return float(np.sqrt(np.mean((pair.restored - pair.clean) ** 2)))


def _psnr(pair: Pair) -> float:
    error = _rmse(pair)
    if pair.range == 0:
        return math.nan
    return 20 * math.log10(pair.range / error) if error > 0 else math.inf


def _fit(pair: Pair) -> Pair:
    """The pair, with a line fitted from the restored to the clean image."""
    x, y = pair.restored - pair.restored.mean(), pair.clean - pair.clean.mean()
    spread = np.mean(x * x)
    slope = np.mean(x * y) / spread if spread > 0 else 0.0
    return Pair(slope * x, y, pair.range)


def _ssim(pair: Pair) -> tuple[float, np.ndarray]:
    """Mean and map, one plane or volume at a time: a window must not reach into another channel."""
    if pair.range == 0:
        return math.nan, np.full(pair.clean.shape, math.nan)
    front = tuple(range(len(pair.stacked)))
    one, other = (
        np.moveaxis(pixels, pair.stacked, front) for pixels in (pair.restored, pair.clean)
    )
    means, maps = np.empty(one.shape[: len(front)]), np.empty(one.shape)
    for place in np.ndindex(means.shape):
        means[place], maps[place] = _ssim_of(one[place], other[place], range=pair.range)
    return float(means.mean()), np.moveaxis(maps, front, pair.stacked)


def _ssim_of(restored: np.ndarray, clean: np.ndarray, *, range: float) -> tuple[float, np.ndarray]:
    from skimage.metrics import structural_similarity

    margin = [REACH if n < 2 * REACH + 1 else 0 for n in clean.shape]
    padded = [
        np.pad(image, [(m, m) for m in margin], mode="symmetric") for image in (restored, clean)
    ]
    mean, each = structural_similarity(
        *padded,
        data_range=range,
        gaussian_weights=True,
        sigma=SIGMA,
        use_sample_covariance=False,
        full=True,
    )
    return float(mean), each[
        tuple(slice(m, m + n) for m, n in zip(margin, clean.shape, strict=True))
    ]


def _average(rows: list[dict]) -> dict[str, float | None]:
    return {
        metric: float(np.mean(values)) if (values := _defined(rows, metric)) else None
        for metric in METRICS
    }


def _defined(rows: list[dict], metric: str) -> list[float]:
    return [row[metric] for row in rows if math.isfinite(row[metric])]


def _find_gain(
    rows: list[dict], before: list[dict | None], *, groups: Mapping[str, object] | None, seed: int
) -> dict:
    gained = [
        {"name": r["name"], "psnr": r["psnr"] - b["psnr"]}
        for r, b in zip(rows, before, strict=True)
        if b
    ]
    values = _defined(gained, "psnr")
    return {
        "psnr": float(np.mean(values)) if values else None,
        "interval_95": find_intervals(gained, ("psnr",), groups=groups, seed=seed)["psnr"],
    }


def _as_json(row: dict) -> dict:
    """Replace numbers that do not exist by None."""
    plain = {k: _as_json(v) if isinstance(v, dict) else v for k, v in row.items()}
    return {
        k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in plain.items()
    }


def count_values(
    methods: Sequence[Sequence[Mapping]], scores: Sequence[Mapping]
) -> tuple[np.ndarray, bootstrap.Rate]:
    """Collect the metrics of every method and image, for the bootstrap.

    Parameters
    ----------
    methods : rows of each method, one per image.
    scores : of each method; they are not used.

    Returns
    -------
    (methods, images, metrics, 2): value, 0 where there is none, and whether there is one; and the
    function that turns sums of these into means.
    """
    values = np.array([_list_values(rows) for rows in methods])
    return np.stack([np.nan_to_num(values), np.isfinite(values)], axis=-1), rate_values


def rate_values(sums: np.ndarray) -> dict[str, np.ndarray]:
    """(..., metrics, 2) sums of values and their number → metric → (...) mean."""
    mean = np.where(sums[..., 1] > 0, sums[..., 0] / np.maximum(sums[..., 1], 1), np.nan)
    return {name: mean[..., i] for i, name in enumerate(METRICS)}


def _list_values(rows: Sequence[Mapping]) -> np.ndarray:
    return np.array([[row[m] for m in METRICS] for row in rows], float)


COUNTING = bootstrap.Counting(METRICS, count_values, smaller_is_better=("rmse", "nrmse"))
