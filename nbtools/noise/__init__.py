"""Noise models: how likely a detector gives a grey value for a known signal, p(noisy | signal).

Models are fitted to pairs of a noisy value and its signal: many frames of one scene and their
mean (Krull et al. 2020), or noisy images and their denoised versions (Prakash et al. 2020). Their
functions take `ops`, NumPy or a module with the same functions, so that a loss runs the same code.

References
----------
Krull et al. 2020, doi:10.3389/fcomp.2020.00005.
Prakash et al. 2020, doi:10.1109/ISBI45749.2020.9098612.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nbtools import documents, io
from nbtools.errors import UserError
from nbtools.noise._values import subsample
from nbtools.noise.histogram import HistogramModel
from nbtools.noise.mixture import MixtureModel

__all__ = [
    "KINDS",
    "HistogramModel",
    "MixtureModel",
    "NoiseModel",
    "pair_estimates",
    "pair_frames",
    "read_frames",
    "read_model",
    "write_model",
]

MOST_BINS = 4096  # along a side of a histogram that is read
MOST_PAIRS = 4_000_000  # pairs a model is fitted to; more say nothing new
FEWEST_FRAMES = 10  # their mean keeps 1/n of the noise's variance, 10 % with so few

NoiseModel = HistogramModel | MixtureModel
MODEL = documents.ArrayFile(
    "A noise model must be a whole file.",
    "Copy the whole model folder again.",
    kinds="biufU",
    finite=True,
    most=2**28,
)
KINDS = {"histogram": HistogramModel, "mixture": MixtureModel}


def pair_frames(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of noisy values and signals from frames of one static scene, whose mean is the signal.

    Parameters
    ----------
    frames : (frames, *space) grey values.

    Returns
    -------
    noisy, signal : (n,) each; a random subset where there are very many.

    Raises
    ------
    UserError : too few frames.

    References
    ----------
    Krull et al. 2020, doi:10.3389/fcomp.2020.00005.

    Examples
    --------
    >>> frames = np.random.default_rng(0).normal(100, 5, (20, 8, 8))
    >>> noisy, signal = pair_frames(frames)
    >>> noisy.shape, bool(np.isclose(signal.mean(), noisy.mean()))
    ((1280,), True)
    """
    if len(frames) < FEWEST_FRAMES:
        raise UserError(
            "A noise model needs many frames of one scene.",
            f"{len(frames)} frame(s)",
            f"Take {FEWEST_FRAMES} at least, better 100, of a scene that does not move or bleach.",
        )
    signal = np.broadcast_to(frames.mean(axis=0, dtype=np.float64), frames.shape)
    return _choose_pairs(frames.ravel(), signal.ravel())


def pair_estimates(
    images: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    percentiles: tuple[float, float] = (0.5, 99.5),
) -> tuple:
    """Pairs of noisy values and signals from noisy images and their denoised versions.

    Parameters
    ----------
    images : (noisy, denoised) arrays of equal shape.
    percentiles : of the signals; darker and brighter ones are left out.

    Returns
    -------
    noisy, signal : (n,) each; a random subset where there are very many.

    References
    ----------
    Prakash et al. 2020, doi:10.1109/ISBI45749.2020.9098612.
    """
    noisy, signal = (
        np.concatenate([np.ravel(image) for image in part]) for part in zip(*images, strict=True)
    )
    noisy, signal = _choose_pairs(noisy, signal)
    low, high = np.percentile(signal, percentiles)
    kept = (signal >= low) & (signal <= high)
    return noisy[kept], signal[kept]


def read_frames(path: str | Path) -> np.ndarray:
    """Read calibration frames: many images of one static scene.

    Parameters
    ----------
    path : a file, whose T axis (or else Z) counts the frames; or a folder of single frames.

    Returns
    -------
    (frames, *space) grey values.

    Raises
    ------
    UserError : no such file or folder, frames of different shapes, or several channels.
    """
    path = Path(path)
    files = (
        sorted(filter(io.is_image, path.iterdir())) if path.is_dir() else [path] * path.is_file()
    )
    if not files:
        raise UserError(
            "Calibration frames must be a file or a folder of images.",
            path,
            "Give many frames of one scene.",
        )
    images = [io.read_image(file) for file in files]
    if len({i.shape for i in images}) > 1 or images[0].size("C") > 1:
        raise UserError(
            "Calibration frames must be of one shape, with one channel.",
            f"{path}: {', '.join(sorted({f'{i.axes} {i.shape}' for i in images}))}",
            "Export one channel of one scene.",
        )
    stack = np.stack([i.select(C=0).pixels for i in images])
    axes = images[0].axes.replace("C", "")
    axis = next((a for a in ("TZ" if len(files) == 1 else "T") if a in axes), "")
    stack = np.moveaxis(stack, 1 + axes.index(axis), 1) if axis else stack[:, None]
    return stack.reshape(-1, *stack.shape[2:])


def write_model(model: NoiseModel, path: str | Path) -> None:
    """Write a noise model as plain arrays into an .npz file.

    Parameters
    ----------
    model : a fitted noise model.
    path : of the file; written whole or not at all.
    """
    kind = next(name for name, cls in KINDS.items() if type(model) is cls)
    with io.atomic_write(path) as temporary:
        np.savez_compressed(temporary, kind=np.array(kind), **vars(model))


def read_model(path: str | Path) -> NoiseModel:
    """Read a noise model that `write_model` wrote; no code from the file is run.

    Parameters
    ----------
    path : of the .npz file.

    Raises
    ------
    UserError : the file is missing, broken, or holds something else.
    """
    values = MODEL.read(path)
    shapes = [v.shape for v in values.values()]
    try:
        if any(len(s) not in (0, 2) or max(s, default=1) > MOST_BINS for s in shapes):
            raise documents.Damaged(f"tables of the shapes {shapes}")
        return KINDS[str(values.pop("kind"))](**values)
    except documents.DAMAGES as error:
        received = f"{path} ({documents.shorten(error)})"
        raise UserError(MODEL.rule, received, MODEL.remedy) from error


def _choose_pairs(noisy: np.ndarray, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = subsample(np.random.default_rng(0), np.arange(noisy.size), most=MOST_PAIRS)
    return noisy[kept].astype(float), signal[kept].astype(float)
