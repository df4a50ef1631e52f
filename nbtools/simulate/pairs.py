"""Noisy and clean images of the same scene, with exactly known noise.

grey = round(gain * (Poisson(photons) + Normal(0, read_noise)) + offset), and clean = gain * photons
+ offset, its expected value. The variance of a grey value is therefore gain² * (photons +
read_noise² + structured²) + 1/12 for rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter1d

from nbtools.config import setting, vary
from nbtools.image import Image
from nbtools.simulate import optics
from nbtools.simulate.scene import render_scene
from nbtools.simulate.settings import NucleiSettings

if TYPE_CHECKING:
    from nbtools.data import Sample

PEAK = 99.8  # percentile of the expected photons that counts as the brightest
STRIPE = 5  # px; structured noise is correlated over this length
FULL = 2**16 - 1
FULL_12_BIT = 2**12 - 1


@dataclass(frozen=True)
class PairSettings(NucleiSettings):
    """Scene, optics, and a camera with known noise: gain, offset and read noise are fixed.

    Examples
    --------
    >>> PairSettings(photons=(5.0,)).noise_law()["read_noise"]
    2.0
    """

    photons: tuple[float, ...] = vary(
        NucleiSettings,
        "photons",
        default=(20.0,),
        help="Light level: expected photons in the brightest pixels (99.8th percentile).",
    )
    read_noise: float = vary(NucleiSettings, "read_noise", default=2.0)
    gain: float = vary(NucleiSettings, "gain", default=2.0, help="Grey values per photon.")
    offset: float = vary(NucleiSettings, "offset", default=100.0, help="Grey value without light.")
    bits: int = vary(NucleiSettings, "bits", choices=(16,), level="advanced")
    frames: int = setting(
        1, min=1, max=10_000, help="Noisy images of each scene; many, to measure a camera's noise."
    )
    structured: float = setting(
        0.0,
        unit="photons",
        min=0,
        max=1000,
        help="Further noise, correlated over 5 px along X: blind-spot networks take it for signal.",
    )
    saturation: float | None = setting(
        None,
        min=0.05,
        max=1,
        help="Share of the light level at which a 12-bit camera saturates; it sets the gain.",
    )

    @property
    def camera_gain(self) -> float:
        """Grey values per photon, saturation considered."""
        if self.saturation is None:
            return self.gain
        return (FULL_12_BIT - self.offset) / (self.saturation * self.photons[-1])

    @property
    def full(self) -> int:
        """The largest grey value."""
        return FULL if self.saturation is None else FULL_12_BIT

    def noise_law(self) -> dict:
        """The exact noise model, for dataset.toml.

        Light and its noise are in photons, the others in grey values.
        """
        return {
            "law": "noisy = round(gain * (Poisson(photons) + Normal(0, read_noise) + stripes) + "
            "offset), at most full; "
            "clean = gain * photons + offset; stripes: Normal(0, structured), alike over "
            "structured_px along X",
            "gain": float(self.camera_gain),
            "offset": self.offset,
            "read_noise": self.read_noise,
            "peak_photons": self.photons[0] if len(set(self.photons)) == 1 else list(self.photons),
            "structured": self.structured,
            "structured_axis": "X",
            "structured_px": STRIPE if self.structured else 0,
            "full": self.full,
            "frames": self.frames,
        }


def make_pairs(settings: PairSettings, *, rng: np.random.Generator) -> list[Sample]:
    """Simulate the noisy images of one scene.

    Parameters
    ----------
    settings : of scene, optics and camera.
    rng : random numbers.

    Returns
    ------- Samples with a noisy image (uint16), and all with the same clean partner (float32) and
    exact labels.
    """
    from nbtools.data import Sample

    drawn = settings.draw(rng)
    scene = render_scene(settings, drawn | {"photons": 1 / optics.GRAIN}, rng=rng)
    brightest = max(np.percentile(scene.photons, PEAK), optics.GRAIN)
    photons = np.round(scene.photons * (drawn["photons"] / brightest) / optics.GRAIN) * optics.GRAIN
    about = {"axes": "ZYX"[-settings.ndim :], "spacing": settings.spacing_um, "name": "pair"}
    label = Image(scene.label, **about)
    clean = Image((settings.camera_gain * photons + settings.offset).astype(np.float32), **about)
    noisy = (Image(expose(photons, settings, rng=rng), **about) for _ in range(settings.frames))
    return [Sample("pair", image, label, clean) for image in noisy]


def expose(photons: np.ndarray, settings: PairSettings, *, rng: np.random.Generator) -> np.ndarray:
    """Take one noisy image.

    Parameters
    ----------
    photons : (*space) expected per pixel.
    settings : of the camera.
    rng : random numbers.

    Returns
    -------
    (*space) uint16.
    """
    electrons = optics.detect(photons, settings.read_noise, rng=rng)
    if settings.structured > 0:
        white = rng.standard_normal(photons.shape)
        electrons += (
            settings.structured
            * np.sqrt(STRIPE)
            * uniform_filter1d(white, STRIPE, axis=-1, mode="wrap")
        )
    return optics.digitise(
        electrons, gain=settings.camera_gain, offset=settings.offset, top=settings.full
    )
