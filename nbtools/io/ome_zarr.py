"""OME-Zarr (NGFF 0.1 to 0.5): folders of chunks, read at the full resolution or a level.

A path may name a whole folder, one image in it (`image.zarr/0` as bioformats2raw writes), or the
labels of an image (`image.zarr/labels/nuclei`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.image import RGB
from nbtools.io.axes import RATIO, SMALL, RawImage, no_pixels
from nbtools.io.intervals import to_seconds
from nbtools.io.microscope import import_optional
from nbtools.io.series import choose_series, require_level, select, spread, tidy_names
from nbtools.io.stored_chunks import store_zarr
from nbtools.io.units import PIXEL, normal_unit, um_per_unit
from nbtools.io.zarr_chunks import require_chunks

METADATA_KEY = "nbtools"
MOST_METADATA = 2**26  # bytes of a group
MARKS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
LABELS = "labels"


@dataclass(frozen=True)
class _Member:
    """One image of a folder: a group, and which of its multiscales."""

    name: str
    place: Path
    scales: dict
    about: dict


def is_zarr(path: Path) -> bool:
    """Whether a path is a folder of Zarr, by its name or by what lies in it."""
    if path.suffix.lower() == ".zarr":
        return path.is_dir() or not path.exists()
    return path.is_dir() and any((path / mark).is_file() for mark in MARKS)


def list_labels(path: Path, *, series: int | None = None) -> list[Path]:
    """The label images that lie in an image's own folder, under labels/.

    Parameters
    ----------
    path : of the image.
    series : number of the image, where the folder holds several.

    Returns
    -------
    Folders; [] without any, or where the description is broken, which is told where it is read.
    """
    try:
        members = list(_list_members(path))
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return []
    if not 0 <= (series or 0) < len(members):
        return []
    folder = members[series or 0].place / LABELS
    return [folder / name for name in list_label_names(folder)]


def list_label_names(folder: Path) -> list[str]:
    """Names of the label images of a folder labels/, as it lists them or as they lie there."""
    if not folder.is_dir():
        return []
    listed = _describe_group(folder).get("labels")
    names = listed if isinstance(listed, list) else sorted(p.name for p in folder.iterdir())
    places = [folder / str(n) for n in names]
    return [str(p.relative_to(folder)) for p in places if _is_inside(p, folder) and is_zarr(p)]


def name_zarr(path: Path) -> str:
    """The name of an image in a folder of Zarr: that of the folder, and of the image in it.

    Parameters
    ----------
    path : of the image.

    Examples
    --------
    >>> name_zarr(Path("a.ome.zarr/labels/nuclei")), name_zarr(Path("b.zarr/0"))
    ('a', 'b_0')
    """
    parts = path.parts
    outer = [i for i, part in enumerate(parts) if part.lower().endswith(".zarr")]
    if not outer:
        return path.name
    name = parts[outer[0]][: -len(".zarr")]
    name = name[: -len(".ome")] if name.lower().endswith(".ome") else name
    inner = list(parts[outer[0] + 1 :])
    if LABELS in inner[-2:]:  # labels have the name of their image
        inner = inner[: inner.index(LABELS)]
    return "_".join([name, *inner])


def read_ome_zarr(
    path: Path,
    *,
    series: int | str | None = None,
    header_only: bool = False,
    palette: bool = False,
    stored: bool = False,
    level: int = 0,
) -> RawImage:
    """Read one image of an OME-Zarr folder.

    Parameters
    ----------
    path : of the folder, or of a group in it.
    series : number or name of the image, where there are several; None for the first.
    header_only : leave out the pixels: they are zeros that take no memory.
    palette : it holds labels, of which whole chunks may be 0.
    stored : leave the pixels in their chunks, see `stored_chunks.ZarrPixels`.
    level : of the pyramid; 0 is the full resolution.

    Raises
    ------
    UserError : the folder holds no image or no such level, a chunk is lost, or the package zarr is
        missing.
    """
    zarr = import_optional("zarr", "OME-Zarr")
    if kind_of(path) == "array":
        require_level(level, count=1, path=path)
        about = {"header_only": header_only, "stored": stored}
        return _read_array(zarr, path, label=palette, **about)
    members = list(_list_members(path))
    if not members:
        raise _refuse_group(path)
    names = tidy_names([m.name for m in members])
    member = members[choose_series(names, series, path=path)]
    datasets = member.scales["datasets"]
    require_level(level, count=len(datasets), path=path)
    scales = member.scales | {"datasets": datasets[level:]}
    place = member.place / str(datasets[level]["path"])
    if not _is_inside(place, member.place):
        raise _refuse_group(path)
    array = zarr.open_array(str(place), mode="r")
    letters = _letters(member.scales, array.ndim)
    require_stored(array, path)
    spacing, unit = _spacing(scales, datasets[level], letters)
    interval = _interval(scales, datasets[level], letters)
    note = member.about.get(METADATA_KEY, {})
    channels = tuple(note.get("channels", ())) or tuple(
        c.get("label", "") for c in (member.about.get("omero") or {}).get("channels", ())
    )
    pixels, label = no_pixels(array.shape, array.dtype), palette or "image-label" in member.about
    if not header_only:
        require_chunks(member.place, scales, zarr=zarr, note=note, label=label)
        pixels = store_zarr(place, array) if stored else np.asarray(array[...])
    pixels, letters = select(pixels, letters, index=spread(letters, pixels.shape)[0][1])
    raw = RawImage(pixels, letters, spacing, unit, channels=channels, interval_s=interval)
    return replace(_as_written(raw, note), series=names if len(names) > 1 else ())


def _read_array(
    zarr: object, path: Path, *, header_only: bool, stored: bool, label: bool
) -> RawImage:
    """An array without a description of its axes, or a level of an image, which has one."""
    beside = _describe_group(path.parent).get("multiscales") or []
    levels = chain.from_iterable(scales.get("datasets", ()) for scales in beside)
    if any(level.get("path") == path.name for level in levels):
        raise UserError(
            "Of an OME-Zarr image, the folder of all its resolutions is named.",
            path,
            f"Give {path.parent}.",
        )
    array = zarr.open_array(str(path), mode="r")
    named = [str(n or "?").upper() for n in getattr(array.metadata, "dimension_names", None) or ()]
    known = len(named) == array.ndim and all(n in "TCZYX" for n in named)
    letters = "".join(named) if known else "?" * (array.ndim - 2) + "YX"
    require_stored(array, path)
    if not header_only:
        scales = {"datasets": [{"path": path.name}]}
        require_chunks(path.parent, scales, zarr=zarr, note={}, label=label)
    if header_only:
        pixels = no_pixels(array.shape, array.dtype)
    else:
        pixels = store_zarr(path, array) if stored else np.asarray(array[...])
    return RawImage(pixels, letters)


def _read_json(path: Path) -> dict:
    about = documents.read_json(path, most=MOST_METADATA)
    return about if isinstance(about, dict) else {}


def require_stored(array: object, path: Path) -> None:
    """A UserError where an array claims a shape, and next to none of its chunks are there.

    Parameters
    ----------
    array : of the package zarr.
    path : of the folder.
    """
    claimed = math.prod(array.shape) * array.dtype.itemsize
    if claimed <= SMALL:
        return
    stored = sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    if claimed > RATIO * stored:
        raise UserError(
            "An OME-Zarr folder must hold the pixels that it claims.",
            f"{path} of {stored} bytes, which claims a shape of {array.shape}",
            "Export the image again.",
        )


def kind_of(path: Path) -> str:
    """ "array" or "group", in version 2 or 3."""
    if (path / ".zarray").is_file():
        return "array"
    if (path / "zarr.json").is_file():
        return _read_json(path / "zarr.json").get("node_type", "group")
    return "group"


def _read_attributes(path: Path) -> dict:
    """Attributes of a group of version 2 or 3; NGFF 0.5 keeps its own one level deeper."""
    about: object = {}
    if (path / "zarr.json").is_file():
        about = _read_json(path / "zarr.json").get("attributes") or {}
    elif (path / ".zattrs").is_file():
        about = _read_json(path / ".zattrs")
    return about if isinstance(about, dict) else {}


def _describe_group(path: Path) -> dict:
    about = _read_attributes(path)
    inner = about.get("ome")
    return inner if isinstance(inner, dict) else about


def _list_members(path: Path, name: str = "") -> Iterator[_Member]:
    """The images of a group: itself, or those of a plate, a well, or bioformats2raw."""
    about = _describe_group(path)
    found = about.get("multiscales")
    if found:
        for number, scales in enumerate(found):
            mark = str(scales.get("name") or number) if len(found) > 1 else ""
            yield _Member("_".join(filter(None, (name, mark))), path, scales, about)
        return
    if isinstance(about.get("plate"), Mapping):
        inside = [str(w["path"]) for w in about["plate"].get("wells", ())]
    elif isinstance(about.get("well"), Mapping):
        inside = [str(i["path"]) for i in about["well"].get("images", ())]
    elif path.name == LABELS:
        inside = list_label_names(path)
    else:
        listed = _describe_group(path / "OME").get("series") or about.get("series")
        inside = [str(s) for s in listed] if isinstance(listed, list) else _list_numbered(path)
    for part in inside:
        place = path / part
        if _is_inside(place, path):
            yield from _list_members(place, "_".join(filter(None, (name, part))))


def _is_inside(place: Path, folder: Path) -> bool:
    """Whether a place lies in a folder: names in files are no way out of it."""
    return place.resolve().is_relative_to(folder.resolve()) and place.resolve() != folder.resolve()


def _list_numbered(path: Path) -> list[str]:
    """Groups that are named by numbers, in order."""
    children = [p.name for p in path.iterdir() if p.name.isdecimal()] if path.is_dir() else []
    return sorted((n for n in children if kind_of(path / n) == "group"), key=int)


def _refuse_group(path: Path) -> UserError:
    inside = [p.name for p in path.iterdir() if p.is_dir()] if path.is_dir() else []
    remedy = "Name the folder of one image" + (
        f", for example {path / sorted(inside)[0]}." if inside else "."
    )
    return UserError(
        "An OME-Zarr folder must describe its image.", f"{path} without multiscales", remedy
    )


def _letters(scales: dict, ndim: int) -> str:
    """The axes of an image: objects from version 0.4 on, names in 0.3, fixed before.

    Axes that are none of ours keep a letter of their own, as positions do.
    """
    axes = scales.get("axes")
    if not axes:  # 0.1 and 0.2: always T, C, Z, Y, X; others do not follow the specification
        return "TCZYX" if ndim == 5 else "?" * (ndim - 2) + "YX"
    kinds = {"time": "T", "channel": "C"}
    letters = []
    for axis in axes:
        name = str(axis.get("name") if isinstance(axis, Mapping) else axis).upper()
        kind = axis.get("type") if isinstance(axis, Mapping) else None
        letters.append(name if name in set("TCZYX") else kinds.get(kind, "P"))
    return "".join(letters)


def _scale_of(scales: dict, level: dict, count: int) -> np.ndarray:
    """(count,) step along each axis: that of the level times that of the image."""
    factors = np.ones(count)
    for holder in (scales, level):
        for step in holder.get("coordinateTransformations", ()):
            if step.get("type") == "scale" and len(step.get("scale", ())) == count:
                factors = factors * np.asarray(step["scale"], float)
    return factors


def _interval(scales: dict, level: dict, letters: str) -> float | None:
    """Seconds between time points; None without a unit of time, since a scale is 1 by default."""
    axes, place = scales.get("axes") or (), letters.find("T")
    if place < 0 or place >= len(axes) or not isinstance(axes[place], Mapping):
        return None
    unit = axes[place].get("unit")
    return to_seconds(_scale_of(scales, level, len(letters))[place], unit) if unit else None


def _spacing(scales: dict, level: dict, letters: str) -> tuple[dict[str, float], str]:
    """Pixel size by letter: the scale of the level times that of the image; {} without units."""
    axes = [a for a in scales.get("axes") or () if isinstance(a, Mapping)]
    factors = _scale_of(scales, level, len(letters))
    units = {
        letter: normal_unit(a.get("unit"))
        for letter, a in zip(letters, axes, strict=False)
        if letter in "ZYX"
    }
    if not any(units.values()):
        return {}, "um"
    sizes = {
        a: float(f)
        for a, f in zip(letters, factors, strict=True)
        if a in units and np.isfinite(f) and f > 0
    }
    if all(u in PIXEL for u in units.values()):
        return sizes, "pixel"
    known = {a: um_per_unit(u) for a, u in units.items()}
    return {a: known[a] * size for a, size in sizes.items() if known[a]}, "um"


def _as_written(raw: RawImage, note: dict) -> RawImage:
    """Restore the order of axes of the image that was written; colours come last."""
    axes = str(note.get("axes", ""))
    if set(axes) != set(raw.letters) or axes == raw.letters:
        return raw
    pixels = raw.pixels.transpose([raw.letters.index(a) for a in axes])
    letters = axes[:-1] + "S" if axes.endswith("C") and raw.channels == RGB else axes
    return replace(raw, pixels=pixels, letters=letters)
