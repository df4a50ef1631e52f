"""Figures of restored images: beside noisy and clean ones, their errors, and methods compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics.bootstrap import name_interval
from nbtools.metrics.restoration import compare_images, difference_map, ssim_map
from nbtools.show.colors import BLUE, GREY, INK, ORANGE
from nbtools.show.contrast import Contrast, measure_contrast
from nbtools.show.figure import Figure, draw_interval, new_figure, style_axes
from nbtools.show.layout import GAP, make_pixels_square
from nbtools.show.pictures import as_image, draw_rows
from nbtools.show.text import format_value
from nbtools.show.views import View

# grey values shown as black and white: the dim rim of a nucleus must not vanish
PERCENTILES = (0.5, 99.9)
SMALL = 96  # px; a picture below this needs no enlarged part
SMOOTHED = 5  # px
FRAME_COLOR = "#ffd400"


@dataclass(frozen=True)
class ColorScale:
    """A matplotlib colour map between two values, used like a `Contrast`."""

    name: str
    low: float
    high: float

    def color(self, pixels: np.ndarray) -> np.ndarray:
        """Values (..., 1) as colours (..., 3) uint8."""
        shades = matplotlib.colormaps[self.name](
            Normalize(self.low, self.high, clip=True)(pixels[..., 0].astype(np.float64))
        )
        return (shades[..., :3] * 255 + 0.5).astype(np.uint8)

    def draw_bar(self, figure: Figure, axes: list[Axes], *, text: str) -> None:
        """Draw the colour bar beside a row of pictures."""
        bar = figure.colorbar(
            ScalarMappable(Normalize(self.low, self.high), self.name),
            ax=axes,
            shrink=0.85,
            aspect=18,
            pad=0.015,
        )
        bar.set_label(text, fontsize=8.5, color=INK)
        bar.ax.tick_params(labelsize=8, colors=GREY, labelcolor=INK)
        bar.outline.set_visible(False)


def restored(noisy: object, *found: object, clean: object = None) -> Figure:
    """Draw a noisy image, its restored versions and the clean image, all in one grey range.

    An enlarged part stands below, PSNR and SSIM in the titles. With one restored image and no clean
    one, the last picture is noisy minus restored: it should look like noise, without any nuclei. Of
    a volume, the middle plane and a slice below it are shown; the scores are of the whole volume.

    Parameters
    ----------
    noisy : an Image, or an array.
    found : restored images or Predictions, or a dictionary of these by name.
    clean : the clean image, where there is one.

    Examples
    --------
    >>> dots = np.eye(32) * 100
    >>> restored(dots + 5, {"ours": dots + 1}, clean=dots).alt
    'noisy 26.0 dB, ours 40.0 dB, clean'
    """
    shown = {"noisy": as_image(noisy)} | (name_results(*found) if found or clean is None else {})
    true = None if clean is None else as_image(clean)
    reference = true if true is not None else list(shown.values())[-1]
    for image in shown.values():
        check_same_size(image, reference)
    contrasts = dict.fromkeys(
        shown, find_contrast(reference, shown["noisy"] if true is None else None)
    )
    titles = {name: _title_with_score(name, image, true) for name, image in shown.items()}
    if true is not None:
        shown["clean"], titles["clean"], contrasts["clean"] = true, "clean", contrasts["noisy"]
    elif len(shown) == 2:
        shown["rest"] = _subtract(*shown.values())
        titles["rest"] = "removed:\nnoisy minus restored"
        contrasts["rest"] = _balance_contrast(shown["rest"])
    figure = _draw_with_part(shown, titles, contrasts=contrasts, reference=reference)
    views = [title.partition(" · ")[0] for title in titles.values()]
    figure.alt = ", ".join(" ".join(view.split()) for view in views)
    low, high = (
        format_value(float(limit[0])) for limit in (contrasts["noisy"].low, contrasts["noisy"].high)
    )
    held = "" if true is None else "; PSNR against maximum minus minimum of the clean image"
    _enlarge_figure(figure, down=0.2)
    figure.supxlabel(
        f"grey values from {low} (black) to {high} (white){held}", fontsize=8, color=GREY
    )
    return figure


def error_maps(found: object, clean: object) -> Figure:
    """Draw the errors of restored images: restored minus clean above, the SSIM map below.

    Red is brighter than the clean image, blue darker; each row has one scale. Of a volume, the
    middle plane and a slice below it are shown.

    Parameters
    ----------
    found : a restored image or Prediction, or a dictionary of these by name; put the noisy image
        among them to see the gain.
    clean : the clean image.
    """
    true, shown = as_image(clean), name_results(found)
    differences = {
        name: true.replace(pixels=difference_map(image, true)) for name, image in shown.items()
    }
    structure = {name: true.replace(pixels=ssim_map(image, true)) for name, image in shown.items()}
    most = max(float(np.percentile(np.abs(d.pixels), 99.8)) for d in differences.values()) or 1.0
    cuts = find_cuts(true)
    error, likeness = ColorScale("RdBu_r", -most, most), ColorScale("cividis", 0, 1)
    scores = {name: compare_images(image, true) for name, image in shown.items()}
    rows = [
        [
            (
                view_sections(differences[name], error, cuts=cuts),
                f"{name}\nRMSE {scores[name]['rmse']:.4g}",
                False,
            )
            for name in shown
        ],
        [
            (
                view_sections(structure[name], likeness, cuts=cuts),
                f"SSIM {scores[name]['ssim']:.3f}",
                False,
            )
            for name in shown
        ],
    ]
    alt = ", ".join(
        f"{name}: RMSE {score['rmse']:.4g}, SSIM {score['ssim']:.3f}"
        for name, score in scores.items()
    )
    figure = draw_rows(rows, alt=alt, head=0.42, inches=3.0)
    _enlarge_figure(figure, right=0.9)
    places = figure.axes
    error.draw_bar(figure, places[: len(shown)], text="restored minus clean, grey values")
    likeness.draw_bar(figure, places[len(shown) :], text="SSIM: 1 is the same structure")
    return figure


def denoisers(results: Mapping[str, Mapping]) -> Figure:
    """Draw mean PSNR and SSIM of several methods with their 95 % intervals.

    The dashed line is the unprocessed input.

    Parameters
    ----------
    results : name of each method to what `metrics.restoration.evaluate` returned, or to the JSON of
        `nbtools evaluate --task restoration`; all on the same images.

    Raises
    ------
    UserError : scores of another task.
    """
    if not results or not all("psnr" in (one.get("mean") or {}) for one in results.values()):
        raise UserError(
            'Scores to show must be those of task "restoration".',
            ", ".join(map(str, results)) or "nothing",
            "Use metrics.restoration.evaluate.",
        )
    text = ", ".join(
        f"{name} {one['mean']['psnr']:.1f} dB"
        for name, one in results.items()
        if one["mean"]["psnr"] is not None
    )
    figure = new_figure(10, 1.15 + 0.36 * len(results), alt=text)
    left, right = figure.subplots(1, 2, sharey=True)
    first = next(iter(results.values()))
    _draw_means(left, results, metric="psnr", text="{:.1f}")
    _draw_means(right, results, metric="ssim", text="{:.3f}")
    style_axes(left, title="PSNR in dB")
    style_axes(right, title="SSIM")
    left.set_yticks(range(len(results)), list(results))
    left.set_ylim(len(results) - 0.4, -0.75)
    count = f"{first['images']} image{'' if first['images'] == 1 else 's'}"
    figure.supxlabel(
        f"mean of {count}, {name_interval(first.get('interval_units'))}; "
        f"range of the PSNR: {first['range']}",
        fontsize=8,
        color=GREY,
    )
    return figure


def side_by_side_rgb(image: Image, found: Image, *, most: int = 1024) -> np.ndarray:
    """Put an image and its restored version side by side, in one grey range, ready for a PNG.

    Parameters
    ----------
    image, found : input and restored image of one size.
    most : longest side of each half in pixels; larger images are thinned out.

    Returns
    -------
    Colour array (H, W, 3) uint8.

    Examples
    --------
    >>> side_by_side_rgb(Image(np.eye(40), "YX"), Image(np.eye(40), "YX")).shape
    (40, 84, 3)
    """
    check_same_size(image, found)
    contrast, cuts = find_contrast(found, image), find_cuts(found)
    left, right = (view_sections(one, contrast, cuts=cuts, most=most).rgb for one in (image, found))
    return np.concatenate([left, np.full((left.shape[0], GAP, 3), 255, np.uint8), right], axis=1)


def name_results(*found: object) -> dict[str, Image]:
    """Return restored images by name, from images, Predictions and dictionaries of these."""
    named: dict[str, Image] = {}
    plain = sum(not isinstance(one, Mapping) for one in found)
    for number, one in enumerate(found, 1):
        several = (
            one
            if isinstance(one, Mapping)
            else {"restored" if plain == 1 else f"restored {number}": one}
        )
        named |= {str(name): as_image(image) for name, image in several.items()}
    if not named:
        raise UserError(
            "There must be a restored image to show.", "none", "Give what predict returned."
        )
    return named


def check_same_size(image: Image, other: Image) -> None:
    """Raise a UserError where two images that are to be compared differ in size."""
    if any(image.size(axis) != other.size(axis) for axis in "TCZYX"):
        raise UserError(
            "Images shown beside each other must have the same size.",
            f"{image.axes} {image.shape} and {other.axes} {other.shape}",
            "Show an image with its restored version.",
        )


def find_contrast(reference: Image, noisy: Image | None = None) -> Contrast:
    """Choose the grey range by the image with the least noise: noise must not set the scale.

    Parameters
    ----------
    reference : clean or restored image.
    noisy : where the reference may have lost structures, the range is widened to the grey values of
        this image, after smoothing.
    """
    pixels = reference.select(T=0).to(("ZYX" if reference.size("Z") > 1 else "YX") + "C").pixels
    contrast = measure_contrast(
        pixels.astype(np.float32), rgb=reference.is_rgb, percentiles=PERCENTILES
    )
    if noisy is None:
        return contrast
    from scipy.ndimage import uniform_filter

    smooth = uniform_filter(
        _take_middle_plane(noisy).pixels.astype(np.float32), (SMOOTHED, SMOOTHED, 0)
    )
    other = measure_contrast(smooth, rgb=noisy.is_rgb, percentiles=PERCENTILES)
    return replace(
        contrast,
        low=np.minimum(contrast.low, other.low),
        high=np.maximum(contrast.high, other.high),
    )


def find_cuts(reference: Image) -> tuple[int, int]:
    """Choose the middle plane z of a volume, and its row y with most contrast; (0, 0) if flat."""
    if reference.size("Z") == 1:
        return 0, 0
    plane = _take_middle_plane(reference).pixels[..., 0].astype(np.float64)
    return reference.size("Z") // 2, int(plane.std(axis=1).argmax())


def view_sections(
    image: Image, contrast: Contrast | ColorScale, *, cuts: tuple[int, int], most: int = 2048
) -> View:
    """Make the view of a flat image, or of plane z and slice y of a volume, one below the other.

    Parameters
    ----------
    image : of a movie, the first frame is shown.
    contrast : colours of the grey values.
    cuts : plane z and row y.
    most : longest side in pixels; larger images are thinned out.
    """
    deep, (z, y) = image.size("Z") > 1, cuts
    image = image.select(T=0).to("ZYXC" if deep else "YXC")
    spacing, thin = image.relative_spacing, -(-max(image.space_shape) // most)
    planes, names = [(image.pixels, spacing)], [""]
    if deep:
        planes = [(image.pixels[z], spacing[1:]), (image.pixels[:, y], (spacing[0], spacing[2]))]
        names = [f"z = {z}", f"y = {y}"]
    panels = [
        contrast.color(make_pixels_square(plane, steps, thin=thin)) for plane, steps in planes
    ]
    tops = np.cumsum([0, *(panel.shape[0] + GAP for panel in panels[:-1])])
    gap = np.full((GAP, panels[0].shape[1], 3), 255, np.uint8)
    montage = np.concatenate(list(chain.from_iterable((panel, gap) for panel in panels))[:-1])
    captions = tuple(
        (0, int(top), name, "white") for top, name in zip(tops, names, strict=True) if name
    )
    spacing_um = min(image.spacing_um) * thin if image.spacing_um else None
    return View(
        montage, None, spacing_um, frame=panels[0].shape[1::-1], captions=captions, name=image.name
    )


def find_detailed_region(plane: np.ndarray, side: int) -> tuple[int, int]:
    """Top and left of the square of a plane (Y, X) with the largest variance of grey values."""
    from scipy.ndimage import uniform_filter

    pixels = plane.astype(np.float64)
    spread = uniform_filter(pixels**2, side) - uniform_filter(pixels, side) ** 2
    inside = tuple(slice(side // 2, n - (side - side // 2) + 1) for n in plane.shape)
    top, left = np.unravel_index(np.argmax(spread[inside]), spread[inside].shape)
    return int(top), int(left)


def _draw_with_part(
    shown: dict[str, Image], titles: dict[str, str], *, contrasts: dict, reference: Image
) -> Figure:
    """A row of whole pictures, and a row of one part of each, enlarged; the first row marks it."""
    cuts = find_cuts(reference)
    rows = [
        [
            (view_sections(image, contrasts[name], cuts=cuts), titles[name], False)
            for name, image in shown.items()
        ]
    ]
    planes = {name: _take_middle_plane(image) for name, image in shown.items()}
    height, width, _ = planes["noisy"].shape
    side = max(32, min(height, width) // 4)
    if min(height, width) > max(SMALL, side):
        top, left = find_detailed_region(_take_middle_plane(reference).pixels[..., 0], side)
        part = (slice(top, top + side), slice(left, left + side))
        crops = {name: plane.replace(pixels=plane.pixels[part]) for name, plane in planes.items()}
        rows.append(
            [
                (view_sections(crop, contrasts[name], cuts=cuts), "", False)
                for name, crop in crops.items()
            ]
        )
    figure = draw_rows(rows, head=0.42)
    if len(rows) == 2:
        frame = rows[0][0][0].frame
        scale_y, scale_x = frame[1] / height, frame[0] / width
        for axes in figure.axes[: len(shown)]:
            corner, size = (left * scale_x, top * scale_y), (side * scale_x, side * scale_y)
            axes.add_patch(
                Rectangle(corner, *size, fill=False, edgecolor=FRAME_COLOR, linewidth=1.1)
            )
    return figure


def _take_middle_plane(image: Image) -> Image:
    """The plane that is shown: axes YXC."""
    return image.select(T=0, **({"Z": image.size("Z") // 2} if "Z" in image.axes else {})).to("YXC")


def _enlarge_figure(figure: Figure, *, right: float = 0, down: float = 0) -> None:
    """Room beside or below the pictures, in inches, for a scale or a line of text."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + right, height + down)


def _subtract(noisy: Image, image: Image) -> Image:
    return noisy.replace(pixels=noisy.pixels.astype(np.float64) - image.to(noisy.axes).pixels)


def _balance_contrast(rest: Image) -> Contrast:
    """Grey in the middle for 0, the same reach to both sides."""
    most = float(np.percentile(np.abs(rest.pixels), 99)) or 1.0
    channels = rest.size("C")
    return Contrast(
        np.full(channels, -most),
        np.full(channels, most),
        np.eye(3) if rest.is_rgb else np.ones((channels, 3)) / channels,
    )


def _title_with_score(name: str, image: Image, clean: Image | None) -> str:
    if clean is None:
        return f"{name}\n"
    scores = compare_images(image, clean)
    return f"{name}\n{scores['psnr']:.1f} dB · SSIM {scores['ssim']:.2f}"


def _draw_means(axes: Axes, results: Mapping[str, Mapping], *, metric: str, text: str) -> None:
    start = next((one["input"][metric] for one in results.values() if one.get("input")), None)
    if start is not None:
        axes.axvline(start, color=GREY, linestyle="--", linewidth=1.1)
        axes.annotate(
            "input",
            (start, -0.75),
            (3, -2),
            textcoords="offset points",
            fontsize=8,
            color=GREY,
            va="top",
            annotation_clip=False,
        )
    for place, one in enumerate(results.values()):
        mean, interval = one["mean"][metric], (one.get("interval_95") or {}).get(metric)
        if mean is None:
            continue
        color = ORANGE if start is not None and mean < start else BLUE
        draw_interval(axes, place, value=mean, interval=interval, color=color, text=text)
