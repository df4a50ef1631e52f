"""Chromocentres: bright spots of heterochromatin inside nuclei, their number, size and position.

Inside each nucleus the image is smoothed slightly, and the nucleoplasm around each pixel, a broad
mean without spots, is subtracted. Spots are the maxima that stand out (h-maxima), each with its
surroundings above half of its height; two maxima are two spots where the valley between them is
deeper than that. The measurements follow NucleusJ and, for the shells, TANGO.

References
----------
Vincent 1993, doi:10.1109/83.217222 (h-maxima by reconstruction).
Poulet et al. 2015, doi:10.1093/bioinformatics/btu774 (NucleusJ).
Ollion et al. 2013, doi:10.1093/bioinformatics/btt276 (TANGO).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.measure.inputs import match_grid, read_grid, read_inputs, to_spatial
from nbtools.measure.runs import find_runs

SHELLS = 5
BROAD = 0.2  # sigma of the mean for the nucleoplasm, over the D-th root of the nucleus's volume
CALM = 2.5  # standard deviations; brighter pixels do not count as nucleoplasm
HALF_MAD = 1.4826  # median absolute deviation to standard deviation, of a normal distribution


def find_chromocentres(
    label: Image,
    image: Image,
    *,
    channel: int | str = 0,
    noise: float = 4.0,
    contrast: float = 0.25,
    smooth_px: float = 1.0,
) -> Image:
    """Find chromocentres inside the nuclei of a label image.

    Blur shrinks small spots: a ball whose radius is three times the width of the blur is measured
    about a tenth too small, and one smaller than the blur as large as the blur. Compare volumes
    only within images of one microscope.

    Parameters
    ----------
    label, image : the same field, 2D or 3D.
    channel : of the DNA dye, by number or name.
    noise : least height of a spot above the nucleoplasm, in (robust) standard deviations within the
        nucleus.
    contrast : least height of a spot, as a share of the brightness of the nucleoplasm. The
        background, the median outside nuclei, is subtracted.
    smooth_px : width of the smoothing (Gaussian sigma), in the finest pixels.

    Returns
    -------
    A label image of the chromocentres, 1..M, on the grid of `label`.

    Raises
    ------
    UserError : the channel does not exist, shapes differ, or labels are not whole numbers.

    Examples
    --------
    >>> nucleus = np.zeros((40, 40), np.uint16)
    >>> nucleus[5:35, 5:35] = 1
    >>> image = 100.0 * nucleus
    >>> image[10:16, 10:16] = 400
    >>> int(find_chromocentres(Image(nucleus, "YX"), Image(image, "YX")).pixels.max())
    1
    """
    label, image = read_inputs(label, image)
    if "T" in label.axes:
        how = {"channel": channel, "noise": noise, "contrast": contrast, "smooth_px": smooth_px}
        pairs = zip(label.frames(), image.frames(), strict=True)
        each = [find_chromocentres(*pair, **how) for pair in pairs]
        return label.to("T" + each[0].axes).replace(pixels=np.stack([one.pixels for one in each]))
    pixels, spacing, _ = read_grid(label, image)
    _, index, _, _ = find_runs(pixels)
    values = read_signal(label, image, channel=channel, index=index)
    chromocentres, count = np.zeros(index.shape, np.int32), 0
    for box, own in _crops(index):
        spots = _find_spots(
            values[box],
            own,
            spacing=spacing / spacing.min(),
            smooth_px=smooth_px,
            noise=noise,
            contrast=contrast,
        )
        chromocentres[box][spots > 0] = spots[spots > 0] + count
        count += int(spots.max())
    return to_spatial(label).replace(pixels=chromocentres)


def describe_chromocentres(
    label: Image, image: Image | None, *, spots: Image | bool = True, channel: int | str = 0
) -> dict[str, np.ndarray]:
    """Measure the chromocentres of each nucleus.

    Parameters
    ----------
    label, image : the same field, 2D or 3D.
    spots : label image of the chromocentres; True finds them.
    channel : of the DNA dye, by number or name.

    Returns
    -------
    Columns, (n,) each:

    chromocentres : their number.
    chromocentre_volume_um3 : of all of them together; in 2D `chromocentre_area_um2`.
    rhf_volume, rhf_intensity : relative heterochromatin fractions: their share of the volume (2D:
        area) and of the light of the nucleus, without background.
    chromocentre_border_um : mean distance from the border of a chromocentre to that of the nucleus.
    chromocentre_centre_border_um : mean distance from its centre; NaN where there is none.
    shell_1 … shell_5 : share of the light in five shells of equal volume, from the border
        inwards; 0.2 each where the dye is spread evenly.

    Raises
    ------
    UserError : no image, the channel does not exist, or shapes differ.
    """
    if image is None:
        raise UserError(
            "Chromocentres are measured in the image.",
            "labels alone",
            "Give the images, too (--images).",
        )
    pixels, spacing, unit = read_grid(label, image)
    _, index, labels, _ = find_runs(pixels)
    values = read_signal(label, image, channel=channel, index=index)
    spots = find_chromocentres(label, image, channel=channel) if spots is True else spots
    marks = match_grid(spots, to_spatial(label)).pixels
    rows = [
        _describe_nucleus(values[box], own, marks=np.where(own, marks[box], 0), spacing=spacing)
        for box, own in _crops(index)
    ]
    names = _columns(unit, len(spacing))
    table = dict(zip(names, np.array(rows, float).reshape(len(labels), len(names)).T, strict=True))
    return table | {"chromocentres": table["chromocentres"].astype(int)}


def read_signal(label: Image, image: Image, *, channel: int | str, index: np.ndarray) -> np.ndarray:
    """Read a channel on the grid of the labels, without background.

    Parameters
    ----------
    label, image : the same field.
    channel : by number or name.
    index : (*space) 0 for background, 1..n for nuclei.

    Returns
    -------
    (*space) float; the median outside the nuclei is subtracted.

    Raises
    ------
    UserError : the channel does not exist, or shapes differ.
    """
    if isinstance(channel, str) and channel not in image.channels:
        known = ", ".join(image.channels) or "without names"
        raise UserError(
            "The channel of the DNA dye must exist in the image.",
            repr(channel),
            f"Channels: {known}.",
        )
    number = image.channels.index(channel) if isinstance(channel, str) else channel
    values = match_grid(image.select(C=number), to_spatial(label)).pixels.astype(float)
    outside = values[index == 0]
    return values - (np.median(outside) if outside.size else 0.0)


def _crops(index: np.ndarray) -> Iterator[tuple[tuple[slice, ...], np.ndarray]]:
    """Box around each nucleus with a margin of one pixel, and (*box) bool: its own pixels."""
    from scipy.ndimage import find_objects

    for number, tight in enumerate(find_objects(index), start=1):
        box = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in tight)
        yield box, index[box] == number


def _find_spots(
    values: np.ndarray,
    own: np.ndarray,
    *,
    spacing: np.ndarray,
    smooth_px: float,
    noise: float,
    contrast: float,
) -> np.ndarray:
    """Spots 1..M in one nucleus.

    values : float, own : bool, of one shape. spacing : in the finest pixels.
    """
    from scipy.ndimage import find_objects, label, maximum

    smooth = _blur(values, own, smooth_px / spacing)
    broad = BROAD * (own.sum() * spacing.prod()) ** (1 / own.ndim) / spacing
    height = smooth - _blur(smooth, own, broad)
    calm = own & (height < CALM * _spread(height[own]))
    # Again without the spots of the first round, which had raised the mean around them.
    height = smooth - _blur(smooth, calm, broad)
    rise = max(noise * _spread(height[own]), contrast * max(np.median(smooth[own]), 0))
    spots = np.zeros(own.shape, np.int32)
    if rise <= 0:
        return spots
    peaks, count = label(own & (height > rise / 2), np.ones((3,) * own.ndim))
    high = maximum(height, peaks, np.arange(1, count + 1)) > rise if count else []
    boxes = find_objects(peaks)
    for number in np.flatnonzero(high) + 1:
        box = boxes[number - 1]
        peak = peaks[box] == number
        parts = _split_peak(np.where(peak, height[box], rise / 2), rise)
        spots[box][parts > 0] = parts[parts > 0] + spots.max()
    return _drop_leaks(spots, height, values=values, own=own)


def _drop_leaks(
    spots: np.ndarray, height: np.ndarray, *, values: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """Drop spots with a brighter pixel outside beside their maximum: light of a neighbour."""
    from scipy.ndimage import maximum_filter, maximum_position

    count = int(spots.max())
    if not count:
        return spots
    outside = maximum_filter(np.where(own, -np.inf, values), size=3)
    summits = tuple(np.array(maximum_position(height, spots, np.arange(1, count + 1))).T)
    return _renumber(spots, values[summits] >= outside[summits])


def _renumber(spots: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The spots 1..M that are kept (M,), without gaps in their numbers."""
    kept = np.append(False, kept)
    return (np.cumsum(kept) * kept).astype(np.int32)[spots]


def _blur(values: np.ndarray, inside: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Gaussian mean of the pixels inside, normalised so that pixels outside have no influence."""
    from scipy.ndimage import gaussian_filter

    light, weight = (
        gaussian_filter(part.astype(np.float32), sigma)
        for part in (np.where(inside, values, 0), inside)
    )
    return light / np.maximum(weight, 1e-6)


def _spread(values: np.ndarray) -> float:
    """Robust standard deviation: a few bright pixels do not count."""
    return float(HALF_MAD * np.median(np.abs(values - np.median(values))))


def _split_peak(height: np.ndarray, rise: float) -> np.ndarray:
    """Spots 1..M of a peak: each maximum above `rise`, down to half of its height.

    A valley deeper than half of the height separates two spots. On a logarithmic scale half of the
    height is the same depth below every maximum, so that the domes of the h-transform are the
    spots.
    """
    from scipy.ndimage import label, maximum
    from skimage.morphology import reconstruction

    level = np.pad(np.log(height), 1, constant_values=np.log(rise / 2))
    domes = (level - reconstruction(level - np.log(2), level))[(slice(1, -1),) * height.ndim]
    parts, count = label(domes > 1e-6, np.ones((3,) * height.ndim))
    depth = maximum(domes, parts, np.arange(1, count + 1))
    # Domes of full depth only, and of at least 2 pixels along each axis: less is noise.
    large = np.bincount(parts.ravel())[1:] >= 2**height.ndim
    return _renumber(parts, (np.array(depth) > np.log(2) - 1e-6) & large)


def _describe_nucleus(
    values: np.ndarray, own: np.ndarray, *, marks: np.ndarray, spacing: np.ndarray
) -> list[float]:
    """Numbers of one nucleus, in the order of `_columns`."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(own, 1), sampling=spacing)[(slice(1, -1),) * own.ndim]
    # The distance transform ends at the centre of the pixel outside; the border is halfway there.
    depth = np.where(own, np.maximum(depth - spacing.min() / 2, 0), 0)
    spots = [marks == number for number in np.unique(marks[marks > 0])]
    pixels, light = int((marks > 0).sum()), values[own].sum()
    borders = [depth[spot].min() for spot in spots]
    centres = [depth[tuple(np.round(np.argwhere(spot).mean(axis=0)).astype(int))] for spot in spots]
    return [
        len(spots),
        pixels * np.prod(spacing),
        pixels / own.sum(),
        values[marks > 0].sum() / light if light > 0 else np.nan,
        *(np.mean(found) if spots else np.nan for found in (borders, centres)),
        *_share_shells(values[own], depth[own]),
    ]


def _share_shells(values: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Share of the light in shells of equal volume, outermost first.

    Pixels of equal depth are distributed over the shells that they belong to.
    """
    found, place = np.unique(np.round(depth, 6), return_inverse=True)
    volume = np.append(0, np.cumsum(np.bincount(place, minlength=len(found))))
    light = np.append(0, np.cumsum(np.bincount(place, weights=values, minlength=len(found))))
    limits = np.linspace(0, volume[-1], SHELLS + 1)
    return (
        np.diff(np.interp(limits, volume, light)) / light[-1]
        if light[-1] > 0
        else np.full(SHELLS, np.nan)
    )


def _columns(unit: str, ndim: int) -> list[str]:
    amount = "area" if ndim == 2 else "volume"
    size = f"chromocentre_{amount}_{unit}" + (str(ndim) if unit == "um" else "")
    return [
        "chromocentres",
        size,
        "rhf_volume",
        "rhf_intensity",
        f"chromocentre_border_{unit}",
        f"chromocentre_centre_border_{unit}",
        *(f"shell_{k}" for k in range(1, SHELLS + 1)),
    ]
