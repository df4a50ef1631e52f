"""Checks of an image with its low-noise partner: another field, turned, shifted, exchanged.

A check takes a View and Requirements and yields findings; add it to CLEAN_CHECKS, and its repair
to CLEAN_REPAIRS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from nbtools.checks.correspondence import FITS, PEAK, Turn, find_turns
from nbtools.checks.finding import Finding, Requirements, View
from nbtools.geometry import crop_centre
from nbtools.image import Image

CROPS = {2: (512, 512), 3: (32, 128, 128)}
FINE_PX, COARSE_PX = 1.0, 8.0  # structures between these are compared, not noise nor shading
MIN_SHIFT_PX = 2
SHIFT_GAIN = 1.1  # of the correlation after a shift
NOISIER = 1.5  # noise of the clean partner over that of the image, each relative to its range
MIN_NOISE = 0.005  # of the range of grey values; less is no noise that anybody sees
BANDS, SHARPER = ((0.02, 0.08), (0.15, 0.3)), 1.5  # cycles per px; ratio of shared amplitudes
SCALES = (0.5, 2.0, 0.25, 4.0)


@dataclass(frozen=True)
class PairFit:
    """How well a clean image agrees with its noisy partner.

    Parameters
    ----------
    strength : correlation as they lie, in standard deviations of that at all shifts.
    peak : the same relative to the best of all shifts.
    shift : (y, x) or (z, y, x) px by which the clean partner lies away from the image.
    gain : correlation after that shift over that without.
    turn, turn_strength : the turn of the clean partner that fits best, and its fit.
    """

    strength: float
    peak: float
    shift: tuple[int, ...]
    gain: float
    turn: Turn | None
    turn_strength: float

    @property
    def is_turned(self) -> bool:
        """Whether both certainly show one field after a turn of the clean partner."""
        better = self.turn_strength > 1.5 * self.strength + 2
        return self.turn is not None and better and self.turn_strength > FITS + 2

    @property
    def is_shifted(self) -> bool:
        """Whether both show one field, but apart."""
        moved = max(map(abs, self.shift)) >= MIN_SHIFT_PX and self.gain > SHIFT_GAIN
        return moved and not self.is_turned and self.strength * self.gain > FITS + 2

    @property
    def is_apart(self) -> bool:
        """Whether they do not show the same field, as far as turns and shifts can tell."""
        unlike = self.strength < FITS and self.peak < PEAK
        return unlike and not self.is_turned and not self.is_shifted


def find_unequal_fields(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find clean partners that are turned, shifted, copied, or show another field."""
    view = view.near
    if not _is_comparable(view):
        return
    if np.array_equal(view.image.pixels, view.clean.pixels):
        yield Finding(
            "clean_is_image",
            "error",
            view.clean_file,
            "The clean image equals the noisy one, pixel by pixel.",
            "Put the image of low noise in its place.",
        )
        return
    fit = compare_pair(view.image, view.clean)
    described = _describe_misfit(view, fit)
    if described is not None:
        yield Finding(described[0], "error", view.clean_file, *described[1:])


def _describe_misfit(view: View, fit: PairFit) -> tuple[str, str, str] | None:
    """Code, message and remedy for a pair that does not match; None where it does."""
    if fit.is_turned:
        return (
            "turned_clean",
            f"The clean image does not match the noisy one; {fit.turn.name} it does.",
            "nbtools check --fix turns it; export both with the same orientation.",
        )
    if fit.is_shifted:
        shift, axes = ", ".join(f"{s:+d}" for s in fit.shift), ", ".join(view.image.spatial)
        return (
            "shifted_clean",
            f"The clean image lies {shift} px ({axes}) beside the noisy one.",
            "nbtools check --fix crops both to the part that they share; register them where they "
            "differ by a rotation or by fractions of a pixel, too.",
        )
    if not fit.is_apart:
        return None
    scale = find_scale(view.image, view.clean)
    magnified = f"; magnified {scale:g} times it does" if scale else ""
    return (
        "unlike_clean",
        f"The clean image does not show the same field as the noisy one{magnified}.",
        "Export both at the same size."
        if scale
        else "Pair each image with its own partner, under the same name; see whether a sorted list "
        "is one file off.",
    )


def find_exchanged(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find clean partners that are noisier than their image."""
    view = view.near
    if not _is_comparable(view) or compare_pair(view.image, view.clean).is_apart:
        return
    noise, clean = measure_noise(view.image), measure_noise(view.clean)
    if clean > max(NOISIER * noise, MIN_NOISE) and not is_sharper(view.image, view.clean):
        yield Finding(
            "exchanged_clean",
            "error",
            view.clean_file,
            (
                f"The clean image is noisier than the noisy one: noise is {clean:.1%} and "
                f"{noise:.1%} of the range of grey values. They seem to be exchanged."
            ),
            "nbtools check --fix exchanges the two; or exchange the files.",
        )


def compare_pair(image: Image, clean: Image) -> PairFit:
    """Compare a noisy image with its clean partner, in their central part.

    Parameters
    ----------
    image, clean : of one shape and the same axes, without time.

    Returns
    -------
    How well they agree as they lie, and after turns and shifts.
    """
    from scipy import fft

    size = CROPS[len(image.space_shape)]
    grey, partner = (_to_grey(i) for i in (image, clean))
    noisy = _transform(crop_centre(grey, size))
    shape = crop_centre(grey, size).shape

    def correlate(pixels: np.ndarray) -> np.ndarray:
        product = noisy.conj() * _transform(crop_centre(pixels, size))
        fits = fft.irfftn(product, s=shape)
        return fits / (np.sqrt((fits**2).mean()) + 1e-12)

    fits = correlate(partner)
    here = float(fits.flat[0])
    reach = [np.r_[-(n // 8) : n // 8 + 1] for n in shape]
    near = fits[np.ix_(*(r % n for r, n in zip(reach, shape, strict=True)))]
    place = np.unravel_index(near.argmax(), near.shape)
    shift = tuple(int(r[p]) for r, p in zip(reach, place, strict=True))
    gain = float(near[place]) / max(here, 1e-6)
    turns = list(find_turns(partner.shape, partner.shape)) if here < 4 * FITS else []
    strengths = [float(correlate(t.apply(partner)).flat[0]) for t in turns]
    best = int(np.argmax(strengths)) if turns else 0
    turn, strength = (turns[best], strengths[best]) if turns else (None, 0.0)
    return PairFit(here, here / float(fits.max()), shift, gain, turn, strength)


def measure_noise(image: Image) -> float:
    """Measure the noise of an image, relative to its range of grey values.

    The optics pass no frequencies near half a cycle per pixel in Y and X at once, so that what is
    found there is noise. A sharp image is not taken for a noisy one.

    Parameters
    ----------
    image : without time; a volume is measured plane by plane.

    Returns
    -------
    Standard deviation of the noise over the range from 1 % to 99.5 % of the smoothed image.
    """
    from scipy import ndimage

    grey = crop_centre(_to_grey(image), CROPS[len(image.space_shape)])
    planes = grey if grey.ndim == 3 else grey[None]
    power = np.abs(np.fft.fft2(planes)) ** 2 / planes[0].size
    rows, columns = (np.abs(np.fft.fftfreq(n)) > 0.35 for n in planes.shape[-2:])
    corner = power[:, rows[:, None] & columns]
    smooth = ndimage.gaussian_filter(planes, (0, 2, 2))
    low, high = np.percentile(smooth, (1, 99.5))
    # the median of an exponential law is ln 2 times its mean: single edges do not count
    noise = np.sqrt(np.median(corner) / np.log(2)) if corner.size else 0.0
    return float(noise / max(high - low, 1e-9))


def is_sharper(image: Image, clean: Image) -> bool:
    """Whether the clean image is a sharper one, as for deblurring, and not a noisier one.

    Where one image is the other with noise, what they share has one amplitude at all frequencies;
    where one was blurred, the other has more of it at high ones.

    Parameters
    ----------
    image, clean : of one shape.
    """
    size = CROPS[len(image.space_shape)]
    planes = [crop_centre(_to_grey(i), size) for i in (image, clean)]
    # without a window, the border's jump, which no optics blur, outweighs the fine structures
    window = np.outer(*(np.hanning(n) for n in planes[0].shape[-2:]))
    one, other = (np.fft.fft2((p - p.mean()) * window) for p in planes)
    rows, columns = (np.fft.fftfreq(n) for n in one.shape[-2:])
    frequency = np.hypot(rows[:, None], columns)
    gains = []
    for low, high in BANDS:
        band = (frequency > low) & (frequency < high)
        shared = (one[..., band].conj() * other[..., band]).real.sum()
        gains.append(shared / max((np.abs(one[..., band]) ** 2).sum(), 1e-12))
    return bool(gains[1] > SHARPER * gains[0] > 0)


def find_scale(image: Image, clean: Image) -> float | None:
    """Find the magnification after which the centre of the clean image fits the image.

    Parameters
    ----------
    image, clean : of one shape.

    Returns
    -------
    The factor, one of SCALES; None where none fits.
    """
    from skimage.transform import resize

    grey, partner = (_to_grey(i) for i in (image, clean))
    for scale in SCALES:
        # zoomed by s, the clean image shows the image's central 1/s; by 1/s, the other way round
        whole, part = (grey, partner) if scale > 1 else (partner, grey)
        factor = max(scale, 1 / scale)
        space = [n if a == "Z" else round(n / factor) for a, n in zip(image.spatial, whole.shape)]
        if min(space) < 16:
            continue
        zoomed = resize(crop_centre(part, space), whole.shape, order=1)
        fit = compare_pair(Image(zoomed, image.spatial), Image(whole, image.spatial))
        if fit.strength > FITS + 3:
            return scale
    return None


def exchange_pair(view: View) -> View:
    """Exchange the noisy and the clean image."""
    return replace(view, image=view.clean, clean=view.image)


def turn_clean(view: View) -> View | None:
    """Turn the clean image so that it matches the noisy one."""
    fit = compare_pair(view.image, view.clean)
    if not fit.is_turned or view.clean.axes != view.clean.spatial:
        return None
    pixels = np.ascontiguousarray(fit.turn.apply(view.clean.pixels))
    return replace(view, clean=view.clean.replace(pixels=pixels))


def crop_to_shared_part(view: View) -> View | None:
    """Crop both images, and labels, to the part that both show."""
    fit = compare_pair(view.image, view.clean)
    if not fit.is_shifted or view.image.axes != view.image.spatial or view.boxes is not None:
        return None
    if view.centres is not None:
        return None
    sides = list(zip(fit.shift, view.image.shape, strict=True))
    near = tuple(slice(max(0, -s), n - max(0, s)) for s, n in sides)
    far = tuple(slice(max(0, s), n - max(0, -s)) for s, n in sides)
    label = view.label and view.label.replace(pixels=view.label.pixels[near])
    return replace(
        view,
        image=view.image.replace(pixels=view.image.pixels[near]),
        clean=view.clean.replace(pixels=view.clean.pixels[far]),
        label=label,
    )


CLEAN_CHECKS = [find_unequal_fields, find_exchanged]
CLEAN_REPAIRS: dict[str, Callable[[View], View | None]] = {
    "turned_clean": turn_clean,
    "shifted_clean": crop_to_shared_part,
    "exchanged_clean": exchange_pair,
}


def _is_comparable(view: View) -> bool:
    """Whether both are of one shape, without time, and neither is empty."""
    image, clean = view.image, view.clean
    if clean is None or clean.shape != image.shape or "T" in image.axes or image.axes != clean.axes:
        return False
    return all(i.pixels.min() != i.pixels.max() for i in (image, clean))


def _to_grey(image: Image) -> np.ndarray:
    """(*space) float32, the mean of all channels."""
    pixels = image.pixels
    if "C" in image.axes:
        pixels = image.to(image.spatial + "C").pixels.mean(-1)
    return np.nan_to_num(pixels.astype(np.float32))


def _transform(pixels: np.ndarray) -> np.ndarray:
    """Spectrum of what is larger than noise and smaller than shading."""
    from scipy import fft, ndimage

    fine = ndimage.gaussian_filter(pixels, FINE_PX)
    return fft.rfftn(fine - ndimage.gaussian_filter(fine, COARSE_PX, truncate=3))
