"""Microscope and camera: from dye to grey values."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from nbtools.simulate.settings import NucleiSettings

GRAIN = 1 / 256  # photons; rounding the expected light makes the noise the same on every processor
HAZE_WIDTH = 5.0  # out-of-focus light spreads this much wider than the focus


def blur_widths(drawn: dict[str, float], spacing: np.ndarray) -> np.ndarray:
    """Standard deviation of the focus along each axis.

    Parameters
    ----------
    drawn : values of this image, see `NucleiSettings.draw`; psf_um and psf_stretch count.
    spacing : (D,) µm.

    Returns
    -------
    (D,) in pixels.
    """
    stretch = (drawn["psf_stretch"], 1.0, 1.0) if len(spacing) == 3 else (1.0, 1.0)
    return drawn["psf_um"] * np.array(stretch) / spacing


def blur_dye(dye: np.ndarray, drawn: dict[str, float], *, spacing: np.ndarray) -> np.ndarray:
    """Light in the image plane: a Gaussian focus, and a wide halo of light out of focus.

    Parameters
    ----------
    dye : (Y, X) or (Z, Y, X) float.
    drawn : values of this image; psf_um, psf_stretch and haze count.
    spacing : (D,) µm.
    """
    width = blur_widths(drawn, spacing)
    light = gaussian_filter(dye, width, mode="nearest", truncate=3.5)
    if drawn["haze"] > 0:
        halo = gaussian_filter(
            light, np.maximum(HAZE_WIDTH * width, 1.0 / spacing), mode="nearest", truncate=2.5
        )
        light = (1 - drawn["haze"]) * light + drawn["haze"] * halo
    return light


def illumination(
    light: np.ndarray, drawn: dict[str, float], *, rng: np.random.Generator
) -> np.ndarray:
    """Expected photons per pixel: uneven background added, deeper planes darker.

    Parameters
    ----------
    light : (*space), about 1 in a typical nucleus.
    drawn : values of this image; background, gradient, depth_loss and photons count.
    rng : random numbers.
    """
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in light.shape), indexing="ij", sparse=True)
    slope, phase, turns = (
        rng.uniform(a, b, light.ndim) for a, b in ((-1, 1), (0, 2 * np.pi), (1, 4))
    )
    uneven = sum(s * a for s, a in zip(slope / max(np.abs(slope).sum(), 1e-9), axes, strict=True))
    for axis, p, t in zip(axes, phase, turns, strict=True):
        uneven = uneven + 0.3 * np.cos(t * axis + p)
    light = light + drawn["background"] * np.maximum(1 + drawn["gradient"] * uneven, 0.05)
    if light.ndim == 3:
        light = light * (1 - drawn["depth_loss"] * (axes[0] + 1) / 2)
    return np.round(light * drawn["photons"] / GRAIN) * GRAIN


def expose_camera(
    photons: np.ndarray,
    settings: NucleiSettings,
    *,
    drawn: dict[str, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """Grey values of a camera: shot noise, read noise, gain, offset and rounding.

    Parameters
    ----------
    photons : (*space) expected per pixel.
    settings : bits, gain and offset count.
    drawn : values of this image; read_noise and exposure count.
    rng : random numbers.

    Returns
    -------
    (*space) uint8 or uint16.
    """
    top = 2**settings.bits - 1
    gain = settings.gain
    offset = settings.offset
    if offset is None:
        offset = 100.0 if settings.bits == 16 else 4.0
    if gain is None:
        place = -max(photons.size // 500, 1)
        brightest = max(np.partition(photons.ravel(), place)[place], 1e-6)
        gain = 2.0 if settings.bits == 16 else (drawn["exposure"] * top - offset) / brightest
    return digitise(
        detect(photons, drawn["read_noise"], rng=rng), gain=gain, offset=offset, top=top
    )


def detect(photons: np.ndarray, read_noise: float, *, rng: np.random.Generator) -> np.ndarray:
    """Electrons that a camera counts, with shot noise and read noise.

    Parameters
    ----------
    photons : (*space) expected per pixel.
    read_noise : standard deviation, in electrons.
    rng : random numbers.
    """
    return rng.poisson(photons) + read_noise * rng.standard_normal(photons.shape)


def digitise(electrons: np.ndarray, *, gain: float, offset: float, top: int) -> np.ndarray:
    """Convert electrons to grey values from 0 to `top`.

    Parameters
    ----------
    electrons : (*space).
    gain : grey values per electron.
    offset : grey value without light.
    top : largest grey value; uint8 up to 255, else uint16.

    Examples
    --------
    >>> digitise(np.array([-80.0, 0.0, 10.0, 900.0]), gain=2, offset=100, top=255).tolist()
    [0, 100, 120, 255]
    """
    return np.clip(np.round(gain * electrons + offset), 0, top).astype(
        np.uint8 if top <= 255 else np.uint16
    )
