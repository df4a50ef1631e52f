"""Formats that are not read here, each with the program that turns it into one that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nbtools.errors import UserError

FIJI = "open it in Fiji (Bio-Formats) and save it as OME-TIFF"
_H5 = "export the image as TIFF from the program that wrote it (ilastik: Export Image Settings)"

FOREIGN = {
    ".vsi": ("Olympus cellSens", f"{FIJI}, or export it from QuPath or cellSens"),
    ".oib": ("Olympus FluoView", FIJI),
    ".oif": ("Olympus FluoView", FIJI),
    ".oir": ("Olympus FluoView", FIJI),
    ".poir": ("Olympus FluoView", FIJI),
    ".ims": ("Imaris", f"save it as OME-TIFF in Imaris, or {FIJI}"),
    ".zvi": ("Zeiss AxioVision", f"save it as CZI in ZEN, or {FIJI}"),
    ".dv": ("DeltaVision softWoRx", FIJI),
    ".r3d": ("DeltaVision softWoRx", FIJI),
    ".mrc": ("electron microscopes (IMOD)", f"convert it with mrc2tif of IMOD, or {FIJI}"),
    ".rec": ("electron microscopes (IMOD)", f"convert it with mrc2tif of IMOD, or {FIJI}"),
    ".st": ("electron microscopes (IMOD)", f"convert it with mrc2tif of IMOD, or {FIJI}"),
    ".dm3": ("Gatan DigitalMicrograph", FIJI),
    ".dm4": ("Gatan DigitalMicrograph", FIJI),
    ".mvd2": ("Volocity", f"export it as OME-TIFF from Volocity, or {FIJI}"),
    ".acff": ("Volocity", f"export it as OME-TIFF from Volocity, or {FIJI}"),
    ".nd": (
        "MetaMorph, a list of files",
        f"give the .tif or .stk files that it lists, or {FIJI}",
    ),
    ".sld": ("3i SlideBook", f"export it as OME-TIFF from SlideBook, or {FIJI}"),
    ".sldy": ("3i SlideBook", f"export it as OME-TIFF from SlideBook, or {FIJI}"),
    ".flex": ("PerkinElmer Opera", FIJI),
    ".mea": ("PerkinElmer Opera", FIJI),
    ".xdce": ("GE InCell, a list of files", "give the .tif files beside it"),
    ".htd": ("MetaXpress, a list of files", "give the .tif files beside it"),
    ".xlef": ("Leica LAS X, a list of files", "give the .lof or .tif files beside it, or a .lif"),
    ".lei": ("Leica, a list of files", "give the .tif files beside it"),
    ".ics": ("Image Cytometry Standard", FIJI),
    ".ids": ("Image Cytometry Standard", FIJI),
    ".mrxs": ("3DHISTECH", "export the region as OME-TIFF from QuPath"),
    ".vms": ("Hamamatsu", "export the region as OME-TIFF from QuPath"),
    ".isyntax": ("Philips", "export the region as OME-TIFF from QuPath or the Philips SDK"),
    ".tdms": ("LabVIEW", "export it as TIFF there; the Python package npTDMS reads it"),
    ".dcm": ("DICOM", FIJI),
    ".fits": ("astronomy", FIJI),
    ".raw": (
        "pixels without a header",
        "import it in Fiji (File, Import, Raw) and save it as TIFF",
    ),
    ".klb": ("Keller Lab Block", FIJI),
    ".n5": ("N5", "open it in Fiji (N5 plugin) and save it as OME-TIFF or OME-Zarr"),
    ".h5": ("HDF5", _H5),
    ".hdf5": ("HDF5", _H5),
    ".hdf": ("HDF5", _H5),
    ".npy": (
        "NumPy",
        'load it in Python and give Image(array, "ZYX"), or save it with nbtools.io.write_image',
    ),
    ".npz": (
        "NumPy",
        'load it in Python and give Image(array, "ZYX"), or save it with nbtools.io.write_image',
    ),
    ".mat": ("MATLAB", "save it as TIFF there (imwrite)"),
    ".gif": ("GIF", "open it in Fiji and save it as TIFF"),
    ".bmp": ("BMP", "open it in Fiji and save it as TIFF"),
    ".webp": ("WebP", "open it in Fiji and save it as TIFF"),
    ".jp2": ("JPEG 2000", FIJI),
    ".heic": ("HEIC", "save it as PNG or TIFF"),
    ".psd": ("Photoshop", "save it as TIFF there"),
    ".xcf": ("GIMP", "export it as TIFF there"),
    ".avi": ("a video", "open it in Fiji and save it as TIFF"),
    ".mp4": ("a video", "open it in Fiji (FFMPEG plugin) and save it as TIFF"),
    ".mov": ("a video", "open it in Fiji (FFMPEG plugin) and save it as TIFF"),
    ".zip": ("a zip", "unpack it first"),
}  # suffix → what it is, and what helps


def describe_foreign(suffix: str) -> tuple[str, str]:
    """What a format is, and what turns it into one that is read here.

    Parameters
    ----------
    suffix : of the file, in lower case, with its dot.

    Returns
    -------
    Words for the message and for the remedy; ("", "") of an unknown format.

    Examples
    --------
    >>> describe_foreign(".oib")[0]
    'Olympus FluoView'
    """
    return FOREIGN.get(suffix, ("", ""))


def refuse_format(path: Path, *, known: Sequence[str]) -> UserError:
    """The refusal of a format that is not read, with the program that helps.

    Parameters
    ----------
    path : of the file.
    known : endings of the formats that are read.
    """
    what, remedy = describe_foreign(path.suffix.lower())
    if what:
        return UserError(
            "An image file must be of a format that is read here.",
            f"{path}, of {what}",
            f"{remedy[0].upper()}{remedy[1:]}.",
        )
    return UserError(
        "An image file must be of a known format.",
        path,
        f"Use one of {', '.join(known)}; Fiji saves most microscope formats as TIFF.",
    )
