"""What TIFF files say of pixel size, channels and colours, in each dialect."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import tifffile

from nbtools.io.axes import RawImage
from nbtools.io.intervals import imagej_interval, ome_interval
from nbtools.io.units import PIXEL, is_plausible, normal_unit, to_number, um_per_unit

METADATA_KEY = "nbtools"  # our note in the description: exact axes, shape, spacing, channel names


def describe(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries, *, raw: RawImage
) -> RawImage:
    """Add the metadata of the dialect, then our own, which hold more where both agree.

    Parameters
    ----------
    file, series : as opened.
    raw : one image of the series.
    """
    page = series.keyframe
    colour = page.photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
    changes = {"alpha": _has_alpha(page), "colour": colour}
    changes |= _find_dialect(file)(file, series)
    return _apply_own_metadata(replace(raw, **changes), _find_own_metadata(file, series))


def _find_dialect(file: tifffile.TiffFile):
    """The function that reads the pixel size of this dialect."""
    return next((read for kind, read in DIALECTS.items() if getattr(file, kind)), _from_tags)


def _has_alpha(page: tifffile.TiffPage) -> bool:
    """Whether a sample is transparency: named so, or the fourth of interleaved samples."""
    interleaved = page.planarconfig != tifffile.PLANARCONFIG.SEPARATE
    return any(extra in (1, 2) for extra in page.extrasamples) or (
        interleaved and page.samplesperpixel == 4
    )


def name_positions(file: tifffile.TiffFile, count: int) -> list[str]:
    """Names that Micro-Manager gave to the positions of a file; [] where they are unknown."""
    if not file.is_micromanager or count < 2:
        return []
    summary = (file.micromanager_metadata or {}).get("Summary") or {}
    for key in ("StagePositions", "InitialPositionList"):
        places = summary.get(key)
        if isinstance(places, list) and len(places) == count:
            names = [str(p.get("Label", p.get("label", ""))) for p in places if isinstance(p, dict)]
            return names if len(names) == count and all(names) else []
    return [f"Pos{i}" for i in range(count)]


def _from_imagej(file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> dict:
    """Unit, resolution and z step as in ImageJ: no resolution is no calibration, no z step is 1.

    Where the units of the axes differ, ImageJ adds `yunit` and `zunit`.
    """
    about = file.imagej_metadata or {}
    return _imagej_spacing(series, about) | {"interval_s": imagej_interval(about)}


def _imagej_spacing(series: tifffile.TiffPageSeries, about: dict) -> dict:
    pixel_size = _pixels_per_unit(series)
    unit = normal_unit(about.get("unit"))
    units = {a: normal_unit(about.get(f"{a.lower()}unit")) or unit for a in "XYZ"}
    step = to_number(about.get("spacing"))
    step = abs(step) if step else None
    scale = um_per_unit(unit)
    if scale is None:
        sizes = pixel_size | ({"Z": step} if step else {})
        named = unit in PIXEL and bool(pixel_size)
        if named or (step and pixel_size and len(set(sizes.values())) > 1):
            return {"spacing": sizes, "unit": "pixel"}
        return {}
    if not pixel_size or not all(is_plausible(s * scale, unit) for s in pixel_size.values()):
        return {}
    scales = {a: um_per_unit(u) for a, u in units.items()}
    known = pixel_size | {"Z": step or 1.0}
    sizes = {a: s * scales[a] for a, s in known.items() if scales[a]}
    return {"spacing": sizes, "guesses": () if step else ("z_step",)}


def _pixels_per_unit(series: tifffile.TiffPageSeries) -> dict[str, float]:
    """Pixel size in the file's own unit, from the resolution tags."""
    sizes = {}
    for axis in "XY":
        tag = series.keyframe.tags.get(f"{axis}Resolution")
        if tag is not None and isinstance(tag.value, tuple) and all(tag.value[:2]):
            sizes[axis] = tag.value[1] / tag.value[0]
    return sizes if len(sizes) == 2 else {}


def _from_tags(_file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> dict:
    unit = {2: "inch", 3: "cm"}.get(int(series.keyframe.resolutionunit or 1))
    if unit is None:
        return {}
    sizes = {a: s * um_per_unit(unit) for a, s in _pixels_per_unit(series).items()}
    sound = sizes and all(is_plausible(s, unit) for s in sizes.values())
    return {"spacing": sizes if sound else {}}


def _from_ome(file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> dict:
    pixels = _find_ome_pixels(file, series)
    if pixels is None:
        return {}
    names = tuple(e.get("Name", "") for e in pixels.findall("{*}Channel"))
    sizes: dict[str, dict[str, float]] = {"um": {}, "pixel": {}}
    for axis in "ZYX":
        size = to_number(pixels.get(f"PhysicalSize{axis}"))
        unit = normal_unit(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        scale = 1.0 if unit in PIXEL else um_per_unit(unit)
        if size is not None and scale is not None and 0 < size < math.inf:
            sizes["pixel" if unit in PIXEL else "um"][axis] = size * scale
    # sizes in µm and in pixels do not mix: those in µm count
    unit = "um" if sizes["um"] else "pixel"
    about = {"channels": names if all(names) else (), "interval_s": ome_interval(pixels)}
    return {"spacing": sizes[unit], "unit": unit, **about}


def _find_ome_pixels(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries
) -> ElementTree.Element | None:
    """The element Pixels of a series, by its number, else by its name, else the first."""
    images = list(ElementTree.fromstring(file.ome_metadata).iterfind("{*}Image"))
    number = list(file.series).index(series)
    same = [i for i in images if series.name and i.get("Name") == series.name]
    if len(images) == len(file.series):
        images = [images[number], *images]
    elif len(same) == 1:
        images = [*same, *images]
    found = (i.find("{*}Pixels") for i in images)
    return next((p for p in found if p is not None), None)


def _from_lsm(file: tifffile.TiffFile, _series: tifffile.TiffPageSeries) -> dict:
    """Zeiss LSM: voxel sizes in metres."""
    about = file.lsm_metadata or {}
    sizes = {a: to_number(about.get(f"VoxelSize{a}")) for a in "XYZ"}
    names = ((about.get("ChannelColors") or {}).get("ColorNames")) or ()
    return {
        "spacing": {a: s * 1e6 for a, s in sizes.items() if s and s > 0},
        "channels": tuple(str(n) for n in names),
    }


def _from_stk(file: tifffile.TiffFile, _series: tifffile.TiffPageSeries) -> dict:
    """MetaMorph STK: calibration in its own unit; the step is the distance between planes."""
    about = file.stk_metadata or {}
    scale = um_per_unit(about.get("CalibrationUnits"))
    if not about.get("SpatialCalibration") or scale is None:
        return {}
    steps = np.abs(np.asarray(about.get("ZDistance", 0.0), float)).ravel()
    known = {a: to_number(about.get(f"{a}Calibration")) for a in "XY"}
    sizes = {a: s * scale for a, s in known.items() if s and s > 0}
    if steps.size and steps.max() > 0:
        sizes["Z"] = float(steps.max()) * scale
    return {"spacing": sizes}


def _from_svs(_file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> dict:
    """Aperio SVS: microns per pixel in the description."""
    found = re.search(r"MPP\s*=\s*([\d.]+)", series.keyframe.description or "")
    size = to_number(found and found[1])
    return {"spacing": {"Y": size, "X": size} if size else {}}


DIALECTS = {
    "is_lsm": _from_lsm,
    "is_stk": _from_stk,
    "is_svs": _from_svs,
    "is_ome": _from_ome,
    "is_imagej": _from_imagej,
}  # in this order: an OME file that ImageJ wrote is OME


def _find_own_metadata(file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> dict:
    """Our own metadata from the description of any dialect; {} without them."""
    note: object = (file.imagej_metadata or {}).get(METADATA_KEY)
    if file.is_shaped and file.shaped_metadata:
        number = min(list(file.series).index(series), len(file.shaped_metadata) - 1)
        note = file.shaped_metadata[number].get(METADATA_KEY)
    elif file.is_ome:
        texts = (
            e.text or ""
            for e in ElementTree.fromstring(file.ome_metadata).iterfind(".//{*}Description")
        )
        note = next((t for t in texts if t.startswith(f'{{"{METADATA_KEY}"')), None)
    try:
        note = json.loads(note) if isinstance(note, str) else note
        return note.get(METADATA_KEY, note)
    except (ValueError, AttributeError):
        return {}


def _apply_own_metadata(raw: RawImage, note: dict) -> RawImage:
    """Use our own metadata where the pixels still have their shape.

    Their spacing counts where the standard tags agree with it.
    """
    shape = tuple(note.get("shape", ()))
    axes = str(note.get("axes", ""))
    if math.prod(shape) != raw.pixels.size or len(shape) != len(axes):
        return raw
    if [n for n in shape if n > 1] != [n for n in raw.pixels.shape if n > 1]:
        return raw
    spacing = dict(zip((a for a in axes if a in "ZYX"), note.get("spacing") or (), strict=False))
    unit = note.get("unit", "um")
    same = unit == raw.unit and all(
        math.isclose(spacing.get(a, 0), s, rel_tol=1e-3)
        for a, s in raw.spacing.items()
        if a in axes
    )
    if (raw.spacing and not same) or not spacing:
        spacing = raw.spacing
        unit = raw.unit
    return replace(
        raw,
        pixels=raw.pixels.reshape(shape),
        letters=axes,
        spacing=spacing,
        unit=unit,
        channels=tuple(note.get("channels", ())),
        interval_s=raw.interval_s or note.get("interval_s"),
        guesses=tuple(g for g in raw.guesses if g != "z_step"),
    )
