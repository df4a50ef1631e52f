"""Steps before and behind a network, as packages of bioimage.io declare them; NumPy only.

References
----------
https://bioimage-io.github.io/spec-bioimage-io, pre- and postprocessing of models 0.4 and 0.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nbtools.errors import UserError

EPSILON = 1e-6  # where a step names none


def run_steps(pixels: np.ndarray, steps: Sequence[Mapping], *, axes: str) -> np.ndarray:
    """Run the steps of a package on an image, or on the maps of one.

    Parameters
    ----------
    pixels : array with these axes.
    steps : of the package, each {"id", "kwargs"}; "name" in place of "id" in older ones.
    axes : one letter per axis: z, y, x, c. A step that names axes looks at these together, and at
        each place of the others by itself.

    Returns
    -------
    float32 array of the same shape.

    Raises
    ------
    UserError : a step that is not known here.

    Examples
    --------
    >>> steps = [{"id": "scale_range", "kwargs": {"max_percentile": 100}}]
    >>> run_steps(np.array([[1.0, 2.0, 3.0]]), steps, axes="yx").round(3).tolist()
    [[0.0, 0.5, 1.0]]
    """
    for step in steps:
        run = STEPS[require_step(step)]
        values = step.get("kwargs") or {}
        pixels = run(np.asarray(pixels, np.float32), values, axes).astype(np.float32)
    return pixels


def require_step(step: Mapping) -> str:
    """Name of a step; a UserError where it is not known here.

    Parameters
    ----------
    step : of a package.
    """
    name = step.get("id") or step.get("name")
    values = step.get("kwargs") or {}
    if name not in STEPS or values.get("reference_tensor") or values.get("mode") == "per_dataset":
        raise UserError(
            "Steps of a package must be such as are known here.",
            f"{name}{' over several images' * (name in STEPS)}",
            f"Use the program the package is made for. Known: {', '.join(STEPS)}.",
        )
    return name


def _find_axes(values: Mapping, axes: str) -> tuple[int, ...]:
    """Places of the axes that are looked at together; all where none are named."""
    named = values.get("axes")
    letters = axes if named is None else "".join(str(one)[:1] for one in named)
    return tuple(place for place, letter in enumerate(axes) if letter in letters)


def _scale_range(pixels: np.ndarray, values: Mapping, axes: str) -> np.ndarray:
    shares = values.get("min_percentile", 0.0), values.get("max_percentile", 100.0)
    low, high = np.percentile(pixels, shares, axis=_find_axes(values, axes), keepdims=True)
    return (pixels - low) / (high - low + values.get("eps", EPSILON))


def _zero_mean(pixels: np.ndarray, values: Mapping, axes: str) -> np.ndarray:
    if values.get("mode") == "fixed":
        return _fixed(pixels, values, axes)
    place = _find_axes(values, axes)
    mean, deviation = (f(pixels, axis=place, keepdims=True) for f in (np.mean, np.std))
    return (pixels - mean) / (deviation + values.get("eps", EPSILON))


def _fixed(pixels: np.ndarray, values: Mapping, axes: str) -> np.ndarray:
    mean, deviation = (_spread(values, key, axes, usual=0.0) for key in ("mean", "std"))
    return (pixels - mean) / (deviation + EPSILON)


def _scale_linear(pixels: np.ndarray, values: Mapping, axes: str) -> np.ndarray:
    gain = _spread(values, "gain", axes, usual=1.0)
    return pixels * gain + _spread(values, "offset", axes, usual=0.0)


def _spread(values: Mapping, key: str, axes: str, *, usual: float) -> np.ndarray:
    """A number, or one per channel, in a shape that fits the axes."""
    numbers = np.asarray(values.get(key, usual), np.float32).reshape(-1)
    shape = [len(numbers) if letter == "c" else 1 for letter in axes]
    return numbers.reshape(shape) if len(numbers) > 1 else numbers.reshape([1] * len(axes))


def _clip(pixels: np.ndarray, values: Mapping, axes: str) -> np.ndarray:
    return np.clip(pixels, values.get("min"), values.get("max"))


def _sigmoid(pixels: np.ndarray, values: Mapping, axes: str) -> np.ndarray:
    return 1 / (1 + np.exp(-pixels))


def _softmax(pixels: np.ndarray, values: Mapping, axes: str) -> np.ndarray:
    place = axes.index("c")
    odds = np.exp(pixels - pixels.max(axis=place, keepdims=True))
    return odds / odds.sum(axis=place, keepdims=True)


def _binarize(pixels: np.ndarray, values: Mapping, axes: str) -> np.ndarray:
    return pixels > _spread(values, "threshold", axes, usual=0.5)


def _keep(pixels: np.ndarray, values: Mapping, axes: str) -> np.ndarray:
    return pixels


STEPS: dict[str, Callable[[np.ndarray, Any, str], np.ndarray]] = {
    "scale_range": _scale_range,
    "zero_mean_unit_variance": _zero_mean,
    "fixed_zero_mean_unit_variance": _fixed,
    "scale_linear": _scale_linear,
    "clip": _clip,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "binarize": _binarize,
    "ensure_dtype": _keep,
}
