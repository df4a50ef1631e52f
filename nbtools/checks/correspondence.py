"""Do these labels lie on the nuclei of this image? A number for it, also after turns and shifts.

Local contrast is compared with the labels at all shifts at once: where labels belong to their
image, they fit it as they lie far better than anywhere else. No threshold on grey values is
needed, so that nuclei may be bright, dark, coloured or only differ in texture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations

import numpy as np

from nbtools.geometry import crop_centre, equivalent_diameter
from nbtools.image import Image

CROPS = {2: ((512, 512), (1024, 1024)), 3: ((32, 128, 128), (64, 256, 256))}  # first what is fast
CLEAR = 8.0  # sd: a fit on the small crop that needs no second look
FITS = 5.0  # sd above the mean of all shifts: labels of other images stay below in 99.9 %
PEAK = 0.7  # of the highest fit of all shifts: what few nuclei, or rows of them, reach as they lie
MAX_CHANNELS = 4
MIN_STRUCTURE = 4.0  # power at the scale of nuclei over that of single pixels; 1 in white noise
PLANE_TURNS = {  # order of the axes Y and X, and those reversed: what makes the labels fit
    ((0, 1), (0,)): "turned upside down",
    ((0, 1), (1,)): "mirrored left to right",
    ((0, 1), (0, 1)): "turned by 180°",
    ((1, 0), ()): "with X and Y exchanged",
    ((1, 0), (0,)): "turned by 90° to the left",
    ((1, 0), (1,)): "turned by 90° to the right",
    ((1, 0), (0, 1)): "with X and Y exchanged and turned by 180°",
}


@dataclass(frozen=True)
class Turn:
    """A turn or reflection of an array: an exchange of axes, then the reversal of some.

    Parameters
    ----------
    order : for each axis of the turned array, its axis in the original.
    flips : axes of the turned array that are reversed.
    """

    order: tuple[int, ...]
    flips: tuple[int, ...]

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Turn an array of as many axes as `order` has; a view, without a copy."""
        return np.flip(np.transpose(pixels, self.order), self.flips)

    @property
    def name(self) -> str:
        """What the turn does, as "turned upside down"."""
        if len(self.order) == 2:
            return PLANE_TURNS[self.order, self.flips]
        if self.order[0] != 0:
            axes = ", ".join("ZYX"[a] for a in self.order)
            backwards = " and ".join("ZYX"[self.order[a]] for a in self.flips)
            return f"with the axes in the order {axes}" + (
                f", {backwards} backwards" if backwards else ""
            )
        parts = ["with the planes in reverse order"] if 0 in self.flips else []
        order = tuple(a - 1 for a in self.order[1:])
        flips = tuple(a - 1 for a in self.flips if a)
        parts += [PLANE_TURNS[order, flips]] if (order, flips) in PLANE_TURNS else []
        return " and ".join(parts)


def find_turns(shape: tuple[int, ...], target: tuple[int, ...]) -> Iterator[Turn]:
    """All turns but the identity that bring an array of one shape to another.

    Parameters
    ----------
    shape, target : (Y, X) or (Z, Y, X).

    Examples
    --------
    >>> len(list(find_turns((9, 9), (9, 9)))), len(list(find_turns((9, 7), (7, 9))))
    (7, 4)
    """
    ndim = len(shape)
    for order in permutations(range(ndim)):
        if tuple(shape[a] for a in order) != tuple(target):
            continue
        for count in range(ndim + 1):
            for flips in combinations(range(ndim), count):
                if flips or order != tuple(range(ndim)):
                    yield Turn(order, flips)


@dataclass(frozen=True)
class Fit:
    """How well labels lie on the nuclei of an image.

    Parameters
    ----------
    strength : fit of the labels as they lie, in standard deviations of the fit at all shifts.
    peak : the same relative to the best of all shifts, 0 to 1.
    shift : (y, x) or (z, y, x) in pixels by which the labels must move to fit best.
    shift_strength : the fit there.
    turn : the turn that fits best, None where none fits better.
    turn_strength : the fit after it.
    structured : whether the image shows anything of the size of the nuclei, beyond noise.
    """

    strength: float
    peak: float
    shift: tuple[int, ...]
    shift_strength: float
    turn: Turn | None = None
    turn_strength: float = 0.0
    structured: bool = True

    @property
    def fits(self) -> bool:
        """Whether the labels lie on the nuclei as they are."""
        return self.strength >= FITS or self.peak >= PEAK

    @property
    def turned(self) -> bool:
        """Whether they certainly belong to the image after a turn."""
        better = self.turn_strength > 1.2 * self.strength + 1
        return self.turn is not None and better and self.turn_strength > FITS + 1

    @property
    def shifted(self) -> bool:
        """Whether they certainly belong to the image after a shift."""
        better = self.shift_strength > 3 * self.strength
        return self.misplaced and better and self.shift_strength > FITS + 4

    @property
    def misplaced(self) -> bool:
        """Whether the labels do not lie on what the image shows, or only after a turn."""
        return self.structured and (self.turned or not self.fits)


class Contrast:
    """Local contrast and texture of the central part of an image, as Fourier spectra.

    Parameters
    ----------
    image : without time; grey values, colours or channels.
    diameter : of the nuclei in px of the finest axis: what is much larger is no contrast.
    size : of the central part.
    """

    def __init__(self, image: Image, diameter: float, *, size: tuple[int, ...]):
        space = image.spatial
        channels = image.pixels[None]
        if "C" in image.axes:
            channels = np.moveaxis(image.to(space + "C").pixels, -1, 0)[:MAX_CHANNELS]
        self.size = size
        self.shape = crop_centre(channels[0], size).shape
        sigmas = [max(1.0, 0.75 * diameter / step) for step in image.relative_spacing]
        self._passed = _high_pass(self.shape, sigmas)
        self.spectra = [s for c in channels for s in self._transform(crop_centre(c, size))]

    def _transform(self, pixels: np.ndarray) -> Iterator[np.ndarray]:
        """Spectra of grey level and of texture, both without what is larger than nuclei."""
        from scipy import fft, ndimage

        grey = _to_range(np.nan_to_num(pixels.astype(np.float32)))
        square, mean = (ndimage.uniform_filter(a, 5) for a in (grey * grey, grey))
        for plane in (grey, _to_range(np.sqrt(np.maximum(square - mean * mean, 0)))):
            yield fft.rfftn(plane) * self._passed

    def transform_label(self, label: np.ndarray) -> np.ndarray:
        """Spectrum of a label image of the image's shape; large nuclei weigh as much as others."""
        from scipy import fft

        return fft.rfftn(weigh_nuclei(crop_centre(label, self.size)))

    def measure(self, label: np.ndarray) -> float:
        """Fit of labels as they lie, in standard deviations of the fit at all shifts."""
        spectrum = self.transform_label(label)
        return max(abs(self._place(s, spectrum)) for s in self.spectra)

    def _place(self, image: np.ndarray, label: np.ndarray) -> float:
        """Parseval's theorem gives the fit without a shift and its spread without a transform."""
        product = image * label.conj()
        twice = _count_twice(self.shape)
        total = float((product.real * twice).sum())
        spread = float(np.sqrt(((product.real**2 + product.imag**2) * twice).sum()))
        return total / spread if spread > 0 else 0.0

    def is_structured(self, diameter: float) -> bool:
        """Whether grey values vary more at the scale of nuclei than from pixel to pixel.

        Parameters
        ----------
        diameter : of the nuclei in px; white noise has equal power at both scales.
        """
        frequency = np.sqrt(_square_frequencies(self.shape, [1.0] * len(self.shape)))
        wide = (frequency > 0.3 / diameter) & (frequency < 1 / diameter)
        fine = frequency > 0.35
        if not wide.any() or not fine.any():
            return True
        power = [np.abs(s) ** 2 for s in self.spectra[::2]]  # grey levels, without texture
        return any(p[wide].mean() > MIN_STRUCTURE * p[fine].mean() for p in power)

    def search(self, label: np.ndarray) -> tuple[float, float, tuple[int, ...], float]:
        """Fit of labels as they lie, relative to the best, and the best shift with its fit.

        Parameters
        ----------
        label : (*space) integers. Shifts reach up to a quarter of the compared part.
        """
        spectrum = self.transform_label(label)
        maps = [self._fit_at_all_shifts(image, spectrum) for image in self.spectra]
        here = max(float(fits.flat[0]) for fits in maps)
        highest = max(float(fits.max()) for fits in maps)
        reach = [np.r_[-(n // 4) : n // 4 + 1] for n in self.shape]
        near = np.ix_(*(r % n for r, n in zip(reach, self.shape, strict=True)))
        fits = max((fits[near] for fits in maps), key=np.max)
        place = np.unravel_index(fits.argmax(), fits.shape)
        shift = tuple(int(r[p]) for r, p in zip(reach, place, strict=True))
        return here, here / max(highest, 1e-9), shift, float(fits[place])

    def _fit_at_all_shifts(self, image: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Magnitude of the cross-correlation, in its standard deviations; nuclei may be dark."""
        from scipy import fft

        fits = np.abs(fft.irfftn(image * label.conj(), s=self.shape))
        return fits / (np.sqrt((fits**2).mean()) + 1e-12)


@dataclass(frozen=True, eq=False)
class Comparison:
    """An image and its label image, side by side.

    Parameters
    ----------
    image : without time.
    label : (*space) integers; below 1 is background.
    """

    image: Image
    label: np.ndarray

    @cached_property
    def diameter(self) -> float:
        """Median diameter of the nuclei, or of the objects of a mask, in px of the finest axis."""
        from scipy import ndimage

        compact = _compact(self.label)
        if np.ptp(compact[compact > 0]) == 0:
            compact = ndimage.label(compact)[0]
        sizes = np.bincount(compact.ravel())[1:]
        size = float(np.median(sizes[sizes > 0]))
        if self.label.ndim == 3 and self.label.shape == self.image.space_shape:
            size *= float(np.prod(self.image.relative_spacing))
        return float(equivalent_diameter(size, self.label.ndim))

    @cached_property
    def fit(self) -> Fit | None:
        """The fit as they lie, and of turns and shifts; None without nuclei in the middle."""
        fit = None
        for size in CROPS[self.label.ndim]:
            if not (crop_centre(self.label, size) > 0).any():
                continue
            fit = self._fit(Contrast(self.image, self.diameter, size=size))
            if fit.strength >= CLEAR or fit.turned:
                return fit
        return fit

    def _fit(self, contrast: Contrast) -> Fit:
        values = contrast.search(self.label)
        turns = list(find_turns(self.label.shape, self.label.shape))
        # what spans most planes of a volume fits in reverse order, too
        if (values[0] >= CLEAR and self.label.ndim == 2) or not turns:
            return Fit(*values, structured=contrast.is_structured(self.diameter))
        strengths = [contrast.measure(t.apply(self.label)) for t in turns]
        best = int(np.argmax(strengths))
        structured = contrast.is_structured(self.diameter)
        return Fit(*values, turns[best], strengths[best], structured)


def find_turn_to_shape(image: Image, label: np.ndarray) -> tuple[Turn | None, float, float]:
    """The turn after which labels of another shape lie on the nuclei.

    Parameters
    ----------
    image : without time.
    label : (*space) integers of exchanged axes.

    Returns
    -------
    The best turn, None where none has the shape of the image; its fit; that of the second best.
    """
    turns = list(find_turns(label.shape, image.space_shape))
    if not turns or label.max(initial=0) < 1:
        return None, 0.0, 0.0
    diameter = Comparison(image, turns[0].apply(label)).diameter
    contrast = Contrast(image, diameter, size=CROPS[label.ndim][-1])
    ranked = sorted(((contrast.measure(t.apply(label)), i) for i, t in enumerate(turns)))[::-1]
    return turns[ranked[0][1]], ranked[0][0], ranked[1][0] if len(ranked) > 1 else 0.0


def weigh_nuclei(label: np.ndarray) -> np.ndarray:
    """Weights of pixels: 1 in nuclei up to the median size, less in larger ones; their mean is 0.

    Parameters
    ----------
    label : (*space) integers; below 1 is background.

    Returns
    -------
    (*space) float32.
    """
    compact = _compact(label)
    sizes = np.bincount(compact.ravel())
    sizes[0] = 0
    middle = np.median(sizes[sizes > 0]) if sizes.any() else 1
    weights = np.minimum(1, middle / np.maximum(sizes, 1)).astype(np.float32)
    weights[0] = 0
    weighed = weights[compact]
    return weighed - weighed.mean()


def _compact(label: np.ndarray) -> np.ndarray:
    """Numbers from 1 without gaps, 0 for background, whatever the numbers were."""
    label = np.where(label > 0, label, 0).astype(np.int64)
    if label.max(initial=0) < 2**20:
        return label
    return np.unique(label, return_inverse=True)[1].reshape(label.shape)


def _to_range(plane: np.ndarray) -> np.ndarray:
    """Grey values from 0 to 1, without the few extreme ones."""
    low, high = np.percentile(plane.ravel()[:: max(1, plane.size // 200_000)], (1, 99.5))
    return np.clip((plane - low) / max(high - low, 1e-9), 0, 1)


def _high_pass(shape: tuple[int, ...], sigmas: list[float]) -> np.ndarray:
    """Transfer function of the identity minus a Gaussian, over the half spectrum of `rfftn`."""
    return (1 - np.exp(-2 * np.pi**2 * _square_frequencies(shape, sigmas))).astype(np.float32)


def _square_frequencies(shape: tuple[int, ...], scales: list[float]) -> np.ndarray:
    """Squared frequency, in cycles per px and times the scale of each axis, of `rfftn`."""
    total = np.zeros(1, np.float32)
    for axis, (n, scale) in enumerate(zip(shape, scales, strict=True)):
        last = axis == len(shape) - 1
        frequency = (np.fft.rfftfreq(n) if last else np.fft.fftfreq(n)).astype(np.float32)
        along = [1] * len(shape)
        along[axis] = -1
        total = total + (scale * frequency.reshape(along)) ** 2
    return total


def _count_twice(shape: tuple[int, ...]) -> np.ndarray:
    """How often each column of the half spectrum stands in the whole one."""
    columns = np.full(shape[-1] // 2 + 1, 2.0, np.float32)
    columns[0] = 1
    if shape[-1] % 2 == 0:
        columns[-1] = 1
    return columns
