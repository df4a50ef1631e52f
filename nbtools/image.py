"""Image: pixels that know their axes and their pixel size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nbtools.errors import UserError

AXES = "TCZYX"
SPACE = "ZYX"
LEAST = 1e-12  # µm; smaller pixels, and larger ones than 1 / LEAST, are mistakes
UNITS = ("um", "pixel")
RGB = ("red", "green", "blue")
COMMANDS = {  # how one plane of an axis is chosen on the command line
    "T": "Choose a time point with --time 0, or name the planes of a volume with --axes ZYX.",
    "C": "Choose a channel with --channel 0.",
}


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels with their axes, spacing and name; what travels from file to result.

    Parameters
    ----------
    pixels : array of as many dimensions as `axes` has letters.
    axes : a word of the letters T, C, Z, Y, X, each at most once, Y and X always: "YX", "ZYX",
        "CYX", "YXC"…
    spacing : distance between neighbouring pixels along the spatial axes, in the order in which
        they stand in `axes`; None if unknown.
    unit : "um", or "pixel" where only the ratio of the spacings is known.
    name : stem of the file, without folder and extension.
    channels : names of the channels; ("red", "green", "blue") marks a colour image.
    interval_s : seconds from one time point of a movie to the next; None if unknown, and of images
        without T.

    Raises
    ------
    UserError : axes, shape and spacing do not fit each other.

    Examples
    --------
    >>> volume = Image(np.zeros((9, 33, 41)), "ZYX", spacing=(0.5, 0.2, 0.2))
    >>> volume.size("Z"), volume.spatial, volume.spacing_um
    (9, 'ZYX', (0.5, 0.2, 0.2))
    >>> volume.to("ZYXC").pixels.shape
    (9, 33, 41, 1)
    """

    pixels: np.ndarray
    axes: str
    spacing: tuple[float, ...] | None = None
    unit: str = "um"
    name: str = ""
    channels: tuple[str, ...] = ()
    interval_s: float | None = None

    def __post_init__(self):
        object.__setattr__(self, "axes", check_axes(self.axes))
        if self.pixels.ndim != len(self.axes):
            received = f"axes {self.axes} and shape {self.pixels.shape}"
            raise UserError(
                "Axes must name each dimension once.",
                received,
                f"Give {self.pixels.ndim} letters of {AXES}.",
            )
        if self.spacing is not None:
            object.__setattr__(self, "spacing", check_spacing(self.spacing, self.spatial))
        if self.unit not in UNITS:
            raise UserError(
                'Unit must be "um" or "pixel".', self.unit, "Convert the spacing to µm."
            )
        object.__setattr__(self, "interval_s", _check_interval(self.interval_s, self.axes))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.pixels.shape

    @property
    def spatial(self) -> str:
        """Spatial letters in the order of `axes`."""
        return "".join(a for a in self.axes if a in SPACE)

    @property
    def space_shape(self) -> tuple[int, ...]:
        return tuple(self.size(a) for a in self.spatial)

    @property
    def spacing_um(self) -> tuple[float, ...] | None:
        """Spacing in µm, None if it is unknown or only a ratio."""
        return self.spacing if self.unit == "um" else None

    @property
    def relative_spacing(self) -> tuple[float, ...]:
        """Spacing divided by the finest one; ones where it is unknown."""
        spacing = self.spacing or (1.0,) * len(self.spatial)
        return tuple(s / min(spacing) for s in spacing)

    @property
    def is_rgb(self) -> bool:
        return self.channels == RGB

    def size(self, axis: str) -> int:
        """Number of pixels along an axis; 1 where the image lacks it."""
        return self.pixels.shape[self.axes.index(axis)] if axis in self.axes else 1

    def frames(self) -> list[Image]:
        """The time points of a movie, or the image alone where it has no axis T."""
        if "T" not in self.axes:
            return [self]
        return [self.select(T=t) for t in range(self.size("T"))]

    def replace(self, **changes) -> Image:
        """A copy with some fields changed: `image.replace(pixels=restored)`."""
        return replace(self, **changes)

    def to(self, axes: str) -> Image:
        """The same image with its axes in another order.

        Parameters
        ----------
        axes : wanted axes; new ones get length 1, those that are left out must have length 1.

        Raises
        ------
        UserError : an axis that is left out is longer than 1.

        Examples
        --------
        >>> Image(np.zeros((9, 33, 41)), "ZYX").to("YXZC").shape
        (33, 41, 9, 1)
        """
        axes = check_axes(axes)
        if axes == self.axes:
            return self
        surplus = [a for a in self.axes if a not in axes]
        for axis in surplus:
            if self.size(axis) > 1:
                remedy = f"Choose one plane of axis {axis} first, e.g. image.select({axis}=0)."
                raise UserError(
                    f"Only an axis of length 1 can be left out for {axes}.",
                    f"{self.axes} {self.shape}",
                    remedy,
                    command=COMMANDS.get(axis, ""),
                )
        kept = [a for a in self.axes if a in axes]
        pixels = self.pixels.reshape([self.size(a) for a in kept])
        pixels = pixels.transpose([kept.index(a) for a in axes if a in kept])
        pixels = pixels.reshape([self.size(a) for a in axes])
        return self.replace(pixels=pixels, axes=axes, spacing=self._spacing_for(axes))

    def select(self, **planes: int) -> Image:
        """One plane along each of the named axes.

        Parameters
        ----------
        planes : axis → index; negative ones count from the end. Axes that the image lacks are
            ignored.

        Raises
        ------
        UserError : there is no plane of that index.

        Examples
        --------
        >>> Image(np.zeros((2, 9, 33, 41)), "CZYX").select(C=1, T=0).shape
        (9, 33, 41)
        """
        image = self
        for axis, index in planes.items():
            if axis not in image.axes:
                continue
            if not -image.size(axis) <= index < image.size(axis):
                raise UserError(
                    f"Plane of axis {axis} must exist.",
                    f"{index} of {image.size(axis)}",
                    f"Use 0 to {image.size(axis) - 1}.",
                )
            axes = image.axes.replace(axis, "")
            changes = {"channels": ()} if axis == "C" else {}
            pixels = _pick(image.pixels, index, image.axes.index(axis))
            image = image.replace(
                pixels=pixels, axes=axes, spacing=image._spacing_for(axes), **changes
            )
        return image

    def cast(self, dtype: str | np.dtype | type) -> Image:
        """The same image in another numeric type.

        Parameters
        ----------
        dtype : NumPy type; values are rounded and clipped to the range of integer types, NaN
            becomes 0.

        Examples
        --------
        >>> Image(np.array([[-3.0, 1.5, 300.0]]), "YX").cast("uint8").pixels
        array([[  0,   2, 255]], dtype=uint8)
        """
        kind = np.dtype(dtype)
        if kind.kind not in "iu" or self.pixels.dtype == kind:
            return self.replace(pixels=self.pixels.astype(kind, copy=False))
        limits = np.iinfo(kind)
        whole = (
            np.round(np.nan_to_num(self.pixels.astype(np.float64)))
            if self.pixels.dtype.kind == "f"
            else self.pixels
        )
        return self.replace(pixels=np.clip(whole, limits.min, limits.max).astype(kind))

    def _spacing_for(self, axes: str) -> tuple[float, ...] | None:
        if self.spacing is None:
            return None
        known = dict(zip(self.spatial, self.spacing, strict=True))
        return tuple(known.get(a, 1.0) for a in axes if a in SPACE)

    def __repr__(self) -> str:
        spacing = (
            "spacing unknown"
            if self.spacing is None
            else f"{' x '.join(f'{s:g}' for s in self.spacing)} {self.unit}"
        )
        return (
            f"Image({self.name!r}, {self.axes} {' x '.join(map(str, self.shape))}, "
            f"{self.pixels.dtype}, {spacing})"
        )


def _pick(pixels: np.ndarray, index: int, axis: int) -> np.ndarray:
    """One plane along an axis; of a header's zeros, which take no memory, without a copy."""
    if isinstance(pixels, np.ndarray) and not any(pixels.strides):
        return pixels[(slice(None),) * axis + (index,)]
    return pixels.take(index, axis=axis)


def check_axes(axes: str) -> str:
    """The axes in upper case.

    Parameters
    ----------
    axes : letters of T, C, Z, Y, X in either case.

    Raises
    ------
    UserError : another letter, a letter twice, or no Y or X.
    """
    word = str(axes).upper()
    if not (set("YX") <= set(word) <= set(AXES) and len(set(word)) == len(word)):
        raise UserError(
            f"Axes must be letters of {AXES}, each once, Y and X among them.",
            repr(axes),
            'Examples: "YX", "ZYX", "CYX".',
        )
    return word


def _check_interval(seconds: float | None, axes: str) -> float | None:
    """Seconds between time points; None where they are unknown or there is one time point."""
    known = seconds is not None and "T" in axes and np.isfinite(seconds) and seconds > 0
    return float(seconds) if known else None


def check_spacing(spacing: tuple[float, ...], spatial: str) -> tuple[float, ...]:
    """Spacing as positive floats, one for each spatial axis.

    Parameters
    ----------
    spacing : distances between neighbouring pixels.
    spatial : the spatial axes, "YX" or "ZYX" in any order.

    Raises
    ------
    UserError : another number of values, or values that are not above 0.
    """
    values = tuple(float(s) for s in spacing)
    if len(values) != len(spatial) or not all(LEAST <= v <= 1 / LEAST for v in values):
        remedy = f"Give {len(spatial)} numbers above 0, for {', '.join(spatial)}."
        raise UserError(
            f"Spacing must be one positive number for each of {spatial}.", spacing, remedy
        )
    return values
