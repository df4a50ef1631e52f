"""Settings of simulated images; ranges vary from image to image, as microscopes do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.config import Settings, setting
from nbtools.errors import UserError

LOGARITHMIC = ("photons", "background", "psf_um")  # drawn evenly on a logarithmic scale


@dataclass(frozen=True)
class NucleiSettings(Settings):
    """Sample, microscope and camera in physical units.

    A range (low, high) is drawn again for each image; one number fixes it. Lengths are in µm,
    light is in photons per pixel.

    Examples
    --------
    >>> NucleiSettings(photons=(100.0,), count=30).count
    30
    """

    shape_px: tuple[int, ...] = setting(
        (256, 256), unit="px", min=8, max=8192, help="Size of the image: Y, X or Z, Y, X."
    )
    spacing_um: tuple[float, ...] = setting(
        (0.5, 0.5), unit="µm", min=0.001, max=1000, help="Pixel size along Y, X or Z, Y, X."
    )
    count: int | None = setting(
        None,
        min=0,
        max=1_000_000,
        help="Nuclei per image; none: as many as the density gives.",
    )
    density: tuple[float, ...] = setting(
        (0.04, 0.35), min=0, max=0.8, help="Share of the field that nuclei fill."
    )
    clustering: tuple[float, ...] = setting(
        (0.0, 0.6), min=0, max=1, help="Share of the nuclei that lie against another one."
    )
    squeeze: tuple[float, ...] = setting(
        (0.0, 0.15),
        min=0,
        max=0.5,
        help="How far neighbours are pressed together; their contact becomes flat.",
    )
    cut: float = setting(
        0.7,
        min=0,
        max=1,
        level="advanced",
        help="0: all nuclei lie inside the field; 1: its border cuts them anywhere.",
    )
    radius_um: tuple[float, ...] = setting(
        (2.5, 10.0), unit="µm", min=0.01, max=1000, help="Mean radius of the nuclei of an image."
    )
    radius_spread: tuple[float, ...] = setting(
        (0.08, 0.25), min=0, max=1, help="Standard deviation of the radius over its mean."
    )
    elongation: tuple[float, ...] = setting(
        (1.05, 2.0),
        min=1,
        max=5,
        help="Longest over shortest axis, at most, of the nuclei of an image.",
    )
    outline: float | None = setting(
        None,
        min=0.02,
        max=0.9,
        level="advanced",
        help=(
            "Labels reach to this share of the brightness of a nucleus, as drawn by hand; "
            "none: to its surface."
        ),
    )
    roughness: tuple[float, ...] = setting(
        (0.02, 0.12),
        min=0,
        max=0.3,
        help="Dents and bulges of the surface, as share of the radius.",
    )
    granularity: tuple[float, ...] = setting(
        (0.03, 0.3),
        min=0,
        max=1,
        level="advanced",
        help="Contrast of the fine texture of chromatin.",
    )
    chromocentres: tuple[float, ...] = setting(
        (0.0, 6.0), min=0, max=50, help="Mean number of bright spots per nucleus."
    )
    nucleoli: tuple[float, ...] = setting(
        (0.0, 2.5), min=0, max=20, help="Mean number of dark holes per nucleus."
    )
    debris: float = setting(
        0.0,
        min=0,
        max=10,
        help="Unlabelled specks per nucleus, such as polar bodies and fragments.",
    )
    dome: tuple[float, ...] = setting(
        (0.0, 0.8),
        min=0,
        max=1,
        level="advanced",
        help="How much a nucleus fades towards its edge, as in widefield.",
    )
    brightness_spread: tuple[float, ...] = setting(
        (0.1, 0.6), min=0, max=2, help="Spread of the brightness between nuclei (of its logarithm)."
    )
    background: tuple[float, ...] = setting(
        (0.005, 0.15),
        min=0.0001,
        max=10,
        help="Background, as share of the brightness of a nucleus.",
    )
    gradient: tuple[float, ...] = setting(
        (0.0, 0.8), min=0, max=1, level="advanced", help="How uneven the background is."
    )
    haze: tuple[float, ...] = setting(
        (0.0, 0.35),
        min=0,
        max=1,
        level="advanced",
        help="Share of the light that comes out of focus.",
    )
    depth_loss: tuple[float, ...] = setting(
        (0.0, 0.5),
        min=0,
        max=1,
        level="advanced",
        help="Share of the light lost from first to last plane (3D).",
    )
    psf_um: tuple[float, ...] = setting(
        (0.12, 0.9),
        unit="µm",
        min=0,
        max=50,
        help="Lateral blur: standard deviation of the point-spread function.",
    )
    psf_stretch: tuple[float, ...] = setting(
        (2.0, 4.0), min=1, max=10, level="advanced", help="Axial over lateral blur (3D)."
    )
    photons: tuple[float, ...] = setting(
        (20.0, 2000.0),
        unit="photons",
        min=0.1,
        max=1e6,
        help="Photons per pixel of a typical nucleus.",
    )
    read_noise: tuple[float, ...] = setting(
        (0.5, 4.0), unit="photons", min=0, max=1000, help="Noise of the camera without light."
    )
    gain: float | None = setting(
        None,
        min=0.001,
        max=1e4,
        level="advanced",
        help="Grey values per photon; none: 2, or by exposure in 8 bit.",
    )
    exposure: tuple[float, ...] = setting(
        (0.2, 0.95),
        min=0.01,
        max=2,
        level="advanced",
        help="Share of an 8-bit range in use; above 1 saturates.",
    )
    offset: float | None = setting(
        None,
        min=0,
        max=60_000,
        level="advanced",
        help="Grey value without light; none: 100, or 4 in 8 bit.",
    )
    bits: int = setting(16, choices=(8, 16), help="Grey values of the camera.")

    def __post_init__(self):
        super().__post_init__()
        if len(self.shape_px) != len(self.spacing_um) or len(self.shape_px) not in (2, 3):
            raise UserError(
                "Shape and spacing must both name Y, X or Z, Y, X.",
                f"shape_px {self.shape_px} and spacing_um {self.spacing_um}",
                "Give two or three numbers to each.",
            )
        for name in self.ranges():
            value = getattr(self, name)
            if not 1 <= len(value) <= 2 or value[0] > value[-1]:
                raise UserError(
                    f"Setting {name} must be one number, or the lowest and the highest.",
                    value,
                    "Example: 10,100.",
                )

    @property
    def ndim(self) -> int:
        return len(self.shape_px)

    @classmethod
    def ranges(cls) -> list[str]:
        """Names of the settings that vary from image to image."""
        return [
            d.name
            for d in cls.declarations()
            if d.type == tuple[float, ...] and d.name != "spacing_um"
        ]

    def draw(self, rng: np.random.Generator) -> dict[str, float]:
        """Draw one value of each range, for one image."""
        values = {}
        for name in self.ranges():
            limits = getattr(self, name)
            low = min(limits)
            high = max(limits)
            share = rng.random()
            logarithmic = name in LOGARITHMIC and low > 0
            values[name] = (
                low * (high / low) ** share if logarithmic else low + (high - low) * share
            )
        return values
