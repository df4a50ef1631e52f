"""NRRD (3D Slicer) and NIfTI (ITK-SNAP and others), with their pixel size.

Both store the fastest axis first, and lengths in mm where they name no unit of their own.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.axes import LARGE, RawImage, no_pixels, require_memory
from nbtools.io.masks import combine_masks
from nbtools.io.microscope import import_optional
from nbtools.io.series import choose_series
from nbtools.io.units import PIXEL, normal_unit, um_per_unit

NRRD = (".seg.nrrd", ".nrrd")
NIFTI = (".nii.gz", ".nii")
OWN_AXES = "nbtools axes"  # key of our own note in a NRRD header
KINDS = {"time": "T", "RGB-color": "S", "RGBA-color": "S"}  # of NRRD axes that are not in space
MOST_PIXELS = 32767  # along an axis of a NIfTI file


def read_nrrd_nifti(
    path: Path,
    *,
    series: int | str | None = None,
    header_only: bool = False,
    palette: bool = False,
) -> RawImage:
    """Read a NRRD or NIfTI file.

    Parameters
    ----------
    path : of the file.
    series : must be the first, or None: there is one image.
    palette : has no meaning here.
    header_only : leave out the pixels of NIfTI files, and of large NRRD files: they are zeros that
        take no memory.

    Raises
    ------
    UserError : the package for the format is missing, or segments of a Slicer file overlap.
    """
    choose_series(("s0",), series, path=path)
    if path.name.lower().endswith(NRRD):
        return _read_nrrd(path, import_optional("nrrd", "NRRD"), header_only=header_only)
    return _read_nifti(path, import_optional("nibabel", "NIfTI"), header_only=header_only)


def write_nrrd_nifti(path: Path, image: Image, *, nifti: bool) -> None:
    """Write an image or a label image as NRRD or NIfTI, with its pixel size.

    Parameters
    ----------
    path : of the file.
    image : axes YX or ZYX, with C or T in front of them.
    nifti : write NIfTI, else NRRD.

    Raises
    ------
    UserError : the package is missing, or the format cannot hold the image.
    """
    if not image.axes.endswith("YX"):
        raise UserError(
            "NRRD and NIfTI hold planes and volumes.",
            f"axes {image.axes}",
            "Give an image whose last axes are Y and X; colours are written as TIFF or PNG.",
        )
    if nifti:
        _write_nifti(path, image, import_optional("nibabel", "NIfTI"))
    else:
        _write_nrrd(path, image, import_optional("nrrd", "NRRD"))


def _read_nrrd(path: Path, nrrd: ModuleType, *, header_only: bool) -> RawImage:
    header = nrrd.read_header(str(path))
    kind, shape = find_type(str(header["type"])), [int(n) for n in header["sizes"]][::-1]
    layered = "Segment0_LabelValue" in header and len(shape) == 4
    if header_only and not layered and np.prod(shape, dtype=float) * kind.itemsize > LARGE:
        pixels = no_pixels(tuple(shape), kind)
    else:
        require_memory(shape, kind, path=path, copies=2)  # the file as it is, and unpacked
        pixels, header = nrrd.read(str(path), index_order="C")
    if "Segment0_LabelValue" in header and pixels.ndim == 4:
        pixels, header = _join_layers(pixels, header, path)
    letters = _letters_of_nrrd(header, pixels.ndim)
    steps = header.get("spacings", [np.nan] * pixels.ndim)
    if "space directions" in header:
        rows = (row for row in header["space directions"])
        steps = [np.nan if row is None else float(np.linalg.norm(row)) for row in rows]
    units = {normal_unit(u) for u in header.get("space units") or header.get("units") or ()}
    sizes = dict(zip(letters[::-1], map(float, steps), strict=False))
    sizes = {a: s for a, s in sizes.items() if a in "ZYX" and np.isfinite(s) and s > 0}
    named = next((u for u in units if u), "mm" if "space" in header else "")
    return _squeeze(RawImage(pixels, letters, *_to_um(sizes, named)))


def find_type(name: str) -> np.dtype:
    """The type of the numbers of a NRRD file, by any of the names that the format has for it.

    Parameters
    ----------
    name : as in the header.

    Examples
    --------
    >>> find_type("unsigned short"), find_type("float"), find_type("int64_t")
    (dtype('uint16'), dtype('float32'), dtype('int64'))
    """
    name = name.lower().strip()
    if name in ("float", "double"):
        return np.dtype(np.float32 if name == "float" else np.float64)
    sizes = {1: ("char", "int8"), 2: ("short", "int16"), 8: ("long", "int64")}
    found = (n for n, words in sizes.items() if any(word in name for word in words))
    return np.dtype(f"{'u' if name.startswith('u') else 'i'}{next(found, 4)}")


def _letters_of_nrrd(header: dict, ndim: int) -> str:
    """Axes of the pixels, the slowest first."""
    own = str(header.get(OWN_AXES, ""))
    if len(own) == ndim:
        return own
    kinds = list(header.get("kinds", ["domain"] * ndim))
    space = iter("XYZT???")
    letters = [next(space) if k in ("domain", "space", "???") else KINDS.get(k, "C") for k in kinds]
    return "".join(letters)[::-1]


def _join_layers(pixels: np.ndarray, header: dict, path: Path) -> tuple[np.ndarray, dict]:
    """One label image of the layers in which 3D Slicer keeps segments; (Z, Y, X, layer)."""
    numbers = [k for k in header if re.fullmatch(r"Segment\d+_LabelValue", k)]
    pairs = [
        (int(header.get(k.replace("LabelValue", "Layer"), 0)), int(header[k])) for k in numbers
    ]
    axis = next(n for n, k in enumerate(header["kinds"]) if k != "domain")
    layers = np.moveaxis(pixels, pixels.ndim - 1 - axis, 0)
    masks = [layers[layer] == value for layer, value in pairs]
    if (np.sum(masks, axis=0) > 1).any():
        raise UserError(
            "Segments of a label image must not overlap.",
            f"{path}, in whose layers they do",
            "In 3D Slicer export the segments to a label map (Segmentations > Export), and save "
            "that.",
        )
    rest = {k: [v for n, v in enumerate(header[k]) if n != axis] for k in ("kinds",)}
    directions = [row for row in header["space directions"] if np.isfinite(row).all()]
    return combine_masks(masks).label, header | rest | {"space directions": directions}


def _read_nifti(path: Path, nibabel: ModuleType, *, header_only: bool) -> RawImage:
    file = nibabel.load(path)
    shape = tuple(file.shape)
    dtype = file.get_data_dtype()
    if not header_only:
        require_memory(shape, dtype, path=path)
    pixels = no_pixels(shape, dtype) if header_only else np.asanyarray(file.dataobj)
    letters = "XYZTC"[: len(shape)]
    if dtype.names:  # colours are records
        pixels = np.stack([pixels[name] for name in dtype.names])
        letters = "S" + letters
    sizes = dict(zip("XYZ", map(float, file.header.get_zooms()), strict=False))
    sizes = {a: s for a, s in sizes.items() if s > 0 and a in letters}
    unit = {"mm": "mm", "micron": "um", "meter": "m"}.get(file.header.get_xyzt_units()[0], "")
    return _squeeze(RawImage(pixels.transpose(), letters[::-1], *_to_um(sizes, unit)))


def _to_um(sizes: dict[str, float], unit: str) -> tuple[dict[str, float], str]:
    """Sizes in µm, as a ratio where no unit is known; none where all are 1: they are unknown."""
    scale = um_per_unit(unit)
    if all(s == 1 for s in sizes.values()) and unit not in ("um", "µm", "micron", "microns"):
        return {}, "um"
    if scale is None or unit in PIXEL:
        return sizes, "pixel"
    return {a: s * scale for a, s in sizes.items()}, "um"


def _squeeze(raw: RawImage) -> RawImage:
    """Without axes of one plane but Y and X: a plane is often stored as a volume of one slice."""
    kept = [i for i, a in enumerate(raw.letters) if raw.pixels.shape[i] != 1 or a in "YX"]
    letters = "".join(raw.letters[i] for i in kept)
    pixels = raw.pixels.reshape([raw.pixels.shape[i] for i in kept])
    spacing = {a: s for a, s in raw.spacing.items() if a in letters}
    return RawImage(pixels, letters, spacing, raw.unit)


def _write_nrrd(path: Path, image: Image, nrrd: ModuleType) -> None:
    fast_first = image.axes[::-1]
    header: dict = {
        "kinds": [{"C": "list", "T": "time"}.get(a, "domain") for a in fast_first],
        OWN_AXES: image.axes,
    }
    if image.spacing:
        step = dict(zip(image.spatial, image.spacing, strict=True))
        space = [a for a in fast_first if a in "XYZ"]
        directions = np.full((len(fast_first), len(space)), np.nan)
        for row, axis in enumerate(fast_first):
            if axis in space:
                directions[row] = np.where(np.array(space) == axis, step[axis], 0.0)
        place = (
            {"space": "left-posterior-superior"}
            if len(space) == 3
            else {"space dimension": len(space)}
        )
        header |= place | {
            "space directions": directions,
            "space origin": np.zeros(len(space)),
            "space units": [image.unit] * len(space),
        }
    pixels = np.ascontiguousarray(image.pixels)
    nrrd.write(str(path), pixels, header, index_order="C")


def _write_nifti(path: Path, image: Image, nibabel: ModuleType) -> None:
    if max(image.shape) > MOST_PIXELS:
        raise UserError(
            "An axis of a NIfTI file has at most 32767 pixels.",
            f"a shape of {image.shape}",
            "Write it as NRRD or OME-Zarr.",
        )
    order = [a for a in "XYZTC" if a in image.axes]
    pixels = image.pixels.transpose([image.axes.index(a) for a in order])
    full = "XYZ" + ("T" if set("TC") & set(order) else "") + ("C" if "C" in order else "")
    shape = [image.size(a) if a in order else 1 for a in full]
    step = dict(zip(image.spatial, image.spacing or (), strict=bool(image.spacing)))
    x, y, z = (float(step.get(a, 1.0)) for a in "XYZ")
    # ITK points x to the left and y to the back, NIfTI to the right and to the front
    file = nibabel.Nifti1Image(
        np.ascontiguousarray(pixels).reshape(shape), np.diag([-x, -y, z, 1.0]), dtype=pixels.dtype
    )
    known = bool(image.spacing) and image.unit == "um"
    file.header.set_xyzt_units("micron" if known else 0, "sec")
    nibabel.save(file, path)
