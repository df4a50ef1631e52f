"""DecoNoising: blind spots behind the blur of the microscope, so that the network also deblurs.

Goncharova et al. 2020, arXiv:2008.08414. A network proposes a sharp image s, a fixed convolution
with the point spread function (PSF) blurs it, and hidden pixels are asked of the blurred image
PSF*s alone; no light is less than none, so s stays above the background. What the PSF forbids,
single bright pixels among it, cannot be in PSF*s; s itself is a deconvolution of the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import keras
import numpy as np
from scipy.ndimage import gaussian_filter

from nbtools import documents, io, losses, nets, normalize
from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.methods import restoration
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import BlindSpotSettings, preset_setting
from nbtools.targets.blindspot import BlindSpotMask, BlindSpotTarget

NETWORKS = {
    "tiny": {"filters": (8, 16), "norm": "none", "narrow_before_upsampling": True},
    "small": {"filters": (32, 64, 128), "norm": "none", "narrow_before_upsampling": True},
    "paper": {
        "filters": (64, 128, 256),
        "norm": "none",
        "upsampling": "transpose",
        "skip_mode": "add",
    },
}
LONGER_IN_Z = 3.0  # the PSF of a microscope along the optical axis, where nothing else is said
CUT = 4.0  # standard deviations at which a Gaussian ends
SMOOTHED, DARKEST = 2.0, 0.5  # px; percentile: the background where none is given
FAINT = 1e-3  # of the PSF's peak; what is fainter around it is cut off
OUTPUTS = ("denoised", "deconvolved")
PSF_FILE = "psf.npz"
WIDEST = 1001  # px of a kernel


@dataclass(frozen=True)
class DecoNoisingSettings(BlindSpotSettings):
    preset: str = preset_setting(*NETWORKS)
    output: str = setting(
        "denoised",
        choices=OUTPUTS,
        help="The result: the image as the microscope blurs it, or as it was before.",
    )
    psf_sigma: float = setting(
        1.0,
        unit="px",
        min=0.2,
        max=20,
        help="Width of the blur in the plane: standard deviation of a Gaussian.",
    )
    psf_sigma_z: float | None = setting(
        None,
        unit="px",
        min=0.2,
        max=20,
        help="The same along Z, in planes; empty: three times as long in µm as in the plane.",
    )
    psf: str | None = setting(
        None,
        level="advanced",
        help=(
            "Image of the blur of a point, of the pixel size of the images; empty: a Gaussian of "
            "psf_sigma."
        ),
    )
    background: float | None = setting(
        None,
        level="advanced",
        help=(
            "Grey value without light; empty: the darkest of the training images, noise smoothed "
            "away."
        ),
    )
    positivity: float = setting(
        1.0,
        min=0,
        max=1000,
        level="advanced",
        help="Weight of what the sharp image has below the background.",
    )
    smoothness: float = setting(
        0.0,
        min=0,
        max=1000,
        level="advanced",
        help="Weight of the total variation of the sharp image.",
    )


@final
class DecoNoising(KerasMethod):
    """DecoNoising: denoising that knows the blur."""

    Settings, Target = DecoNoisingSettings, BlindSpotTarget
    needs, normalization = (), normalize.SET_MOMENTS
    kernels: list[np.ndarray] | None = None  # of the PSF, one after the other
    background: float | None = None

    def prepare(self, train: DataSet) -> None:
        """Make the kernels of the PSF, and find the grey value of the background.

        Parameters
        ----------
        train : images of one channel.

        Raises
        ------
        UserError : the images have several channels, or the file of the PSF does not fit.
        """
        super().prepare(train)
        if self.domain.channels > 1:
            raise UserError(
                "A point spread function is of one channel.",
                f"{train.names[0]} with {self.domain.channels} channels",
                "Choose one with --channel.",
            )
        self.kernels, self.background = self.make_kernels(), self.settings.background
        if self.background is None:
            images = [image[..., 0] for image in self.sample_images(train)]
            self.background = find_background(images)

    def make_kernels(self) -> list[np.ndarray]:
        """Kernels of the PSF, to convolve with in turn: a file's, or a Gaussian along each axis."""
        settings, domain = self.settings, self.domain
        if settings.psf is not None:
            return [read_psf(settings.psf, spacing=domain.spacing, ndim=domain.ndim)]
        sigmas = [settings.psf_sigma] * domain.ndim
        if domain.ndim == 3:
            z, y, _ = domain.spacing or (1.0, 1.0, 1.0)
            sigmas[0] = settings.psf_sigma_z or LONGER_IN_Z * settings.psf_sigma * y / z
        return [draw_gaussian(s, axis=axis, ndim=domain.ndim) for axis, s in enumerate(sigmas)]

    def target_fields(self) -> dict:
        mask = BlindSpotMask(self.settings.masked, self.settings.radius)
        about = {"named": OUTPUTS, "result": self.settings.output}
        return super().target_fields() | about | {"mask": mask}

    def loss(self) -> Callable:
        settings = self.settings
        floor = float(self.scale.apply(np.full((1, 1), self.background))[0, 0])
        weights = {"positivity": settings.positivity, "smoothness": settings.smoothness}
        return losses.deconoising_loss(floor=floor, **weights)

    def build(self) -> keras.Model:
        """(B, *space, 1) → (B, *space, 2): the blurred image and the sharp one."""
        net = nets.unet_for(self.domain, outputs=1, **restoration.plan_network(self, NETWORKS))
        sharp = net.outputs[0]
        blurred = nets.Psf(self.kernels or self.make_kernels(), name="psf")(sharp)
        both = keras.layers.Concatenate(name="both")([blurred, sharp])
        return keras.Model(net.input, both, name="deconoising")

    # --- on disk

    def describe_model(self) -> dict:
        return super().describe_model() | {"background": self.background}

    def save_weights(self, folder: Path) -> None:
        """Write the weights, and the kernels of the PSF beside them."""
        super().save_weights(folder)
        named = {f"{i:02d}": kernel for i, kernel in enumerate(self.kernels)}
        with io.atomic_write(folder / PSF_FILE) as temporary:
            np.savez_compressed(temporary, **named)

    def read_description(self, folder: Path) -> None:
        """Read the domain of the model, and its PSF; UserError where that is missing."""
        super().read_description(folder)
        arrays = documents.WEIGHTS.read(folder / PSF_FILE)
        self.kernels = [arrays[name] for name in sorted(arrays)]
        shapes = [kernel.shape for kernel in self.kernels]
        odd = all(n % 2 and n <= WIDEST for shape in shapes for n in shape)
        if not shapes or not odd or {len(shape) for shape in shapes} != {self.domain.ndim}:
            received = f"{folder} with kernels of the shapes {documents.shorten(shapes)}"
            rule = documents.WEIGHTS.rule.format(name=PSF_FILE)
            raise UserError(rule, received, documents.WEIGHTS.remedy)


def find_background(images: list[np.ndarray]) -> float:
    """The darkest grey value of images (*space), where noise is smoothed away."""
    return float(
        np.percentile(
            np.concatenate([gaussian_filter(i, SMOOTHED).ravel() for i in images]), DARKEST
        )
    )


def draw_gaussian(sigma: float, *, axis: int, ndim: int) -> np.ndarray:
    """Sample a Gaussian of sum 1 along one axis.

    Parameters
    ----------
    sigma : standard deviation in pixels.
    axis : from 0.
    ndim : number of axes.

    Returns
    -------
    Array of `ndim` axes and odd size along this one, 1 along the others.

    Examples
    --------
    >>> kernel = draw_gaussian(1.0, axis=1, ndim=2)
    >>> kernel.shape[0], kernel.shape[1] % 2, round(float(kernel.sum()), 5)
    (1, 1, 1.0)
    """
    reach = max(1, int(np.ceil(CUT * sigma)))
    curve = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return (
        (curve / curve.sum())
        .astype(np.float32)
        .reshape([-1 if a == axis else 1 for a in range(ndim)])
    )


def read_psf(path: str, *, spacing: tuple[float, ...] | None, ndim: int) -> np.ndarray:
    """Read a point spread function from an image: without background, centred, of sum 1.

    Parameters
    ----------
    path : of the image.
    spacing : pixel size of the images in µm; None where it is unknown.
    ndim : number of spatial axes of the images.

    Returns
    -------
    (*space) float32, as `centre_psf` makes it.

    Raises
    ------
    UserError : there is no such file, or its axes or pixel size differ from those of the images.
    """
    if not Path(path).is_file():
        raise UserError(
            "A point spread function must be an image.", path, "Give a file, or leave psf empty."
        )
    image = io.read_image(path)
    axes = "ZYX"[-ndim:]
    if image.spatial != axes or image.size("C") > 1:
        raise UserError(
            f"The point spread function must have axes {axes}.",
            f"{path} with axes {image.axes}",
            "Give one channel of a bead.",
        )
    known = image.spacing_um is not None and spacing is not None
    if known and not np.allclose(image.spacing_um, spacing, rtol=0.05):
        received = f"{path}: {image.spacing_um}, images {spacing}"
        raise UserError(
            "The point spread function must have the pixel size of the images.",
            received,
            "Resample it.",
        )
    return centre_psf(image.to(axes).pixels.astype(np.float32))


def centre_psf(pixels: np.ndarray) -> np.ndarray:
    """Centre the image of a point: background subtracted, faint margin cut, sum 1.

    Parameters
    ----------
    pixels : (*space) grey values, brighter than the background where the point is.

    Returns
    -------
    (*odd sizes) with the brightest pixel in the middle.

    Raises
    ------
    UserError : the image has no bright spot.

    Examples
    --------
    >>> spot = np.zeros((5, 7))
    >>> spot[2, 1:4] = 1, 2, 1
    >>> centre_psf(spot).tolist()
    [[0.25, 0.5, 0.25]]
    """
    rim = np.ones(pixels.shape, bool)
    rim[tuple(slice(1, -1) if n > 2 else slice(None) for n in pixels.shape)] = False
    light = np.clip(pixels - (np.median(pixels[rim]) if rim.any() else 0.0), 0, None)
    if not light.any():
        raise UserError(
            "A point spread function must have a bright spot.",
            "a constant image",
            "Give the image of a bead.",
        )
    peak = np.array(np.unravel_index(np.argmax(light), light.shape))
    seen = np.argwhere(light > FAINT * light.max())
    reach = np.minimum(
        np.abs(seen - peak).max(axis=0), np.minimum(peak, np.array(light.shape) - 1 - peak)
    )
    light = light[tuple(slice(p - r, p + r + 1) for p, r in zip(peak, reach, strict=True))]
    return light / light.sum()
