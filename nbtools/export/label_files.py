"""Label images as files of other programs: outlines, COCO, NRRD, NIfTI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nbtools import io
from nbtools.errors import UserError, require_choice
from nbtools.export.outlines import SHIFT, rois, trace_shapes
from nbtools.export.several import in_one_file, write_each
from nbtools.export.surfaces import write_surfaces
from nbtools.image import Image
from nbtools.results import Labels

CENTRE = 0.5 - SHIFT  # QuPath and COCO count from the corner of the first pixel


def write_labels(
    labels: Mapping[str, Callable[[], Image | Labels]], path: str | Path, *, format: str
) -> list[Path]:
    """Write label images for another program.

    Parameters
    ----------
    labels : name → function that gives the label image, axes YX or ZYX; or labels with their
        classes and scores, which "geojson" tells, too.
    path : of the file, where the format holds all images in one (COCO) or there is one image; else
        of the folder of the files.
    format : "rois" (Fiji), "geojson" (QuPath), "coco", "nrrd" (3D Slicer), "nifti" (ITK-SNAP),
        "ome-zarr", "cellpose" (masks as its window loads them; no pickle) or "napari"; or surfaces
        of volumes, a folder per image: "ply", "stl" or "vtk".

    Returns
    -------
    Paths of the files.

    Raises
    ------
    UserError : an unknown format, or one that cannot hold the labels.
    """
    require_choice(format, LABEL_FORMATS, rule="Labels are exported in a known format.")
    suffix, write = LABEL_FORMATS[format]
    if format != "geojson":
        labels = {name: partial(_read_image, read) for name, read in labels.items()}
    return write_each(labels, Path(path), suffix=suffix, write=write)


def _write_rois(path: Path, label: Image) -> None:
    rois(label, path)


def _write_geojson(path: Path, found: Image | Labels) -> None:
    """Detections of QuPath; in a volume one per slice, named as the ROIs of Fiji are."""
    found = found if isinstance(found, Labels) else Labels(found)
    label = found.image
    _require_space(label)
    volume = label.size("Z") > 1
    features = []
    for z, plane in enumerate(np.atleast_3d(label.to("ZYX" if volume else "YX").pixels.T).T):
        for number, part, rings in trace_shapes(plane):
            place = f"-z{z + 1:03d}" if volume else ""
            name = f"nucleus-{number:04d}{place}" + (f"-{part}" if part > 1 else "")
            geometry = {"type": "Polygon", "coordinates": [_close(ring) for ring in rings]}
            geometry |= {"plane": {"c": -1, "z": z, "t": 0}} if volume else {}
            about = {"objectType": "detection", "name": name} | _describe_object(found, number)
            features.append({"type": "Feature", "geometry": geometry, "properties": about})
    io.write_json(path, {"type": "FeatureCollection", "features": features})


def _describe_object(found: Labels, number: int) -> dict:
    """Class and measurements of a nucleus, in the words of QuPath; {} where nothing is known."""
    kind = (found.classes or {}).get(number)
    known = {"score": found.score, "probability of the class": found.probability}
    values = {name: (one or {}).get(number) for name, one in known.items()}
    values = {name: float(value) for name, value in values.items() if value is not None}
    about = {"classification": {"name": kind}} if kind else {}
    return about | ({"measurements": values} if values else {})


@in_one_file
def _write_coco(path: Path, labels: Mapping[str, Callable[[], Image]]) -> None:
    """One annotation per nucleus: polygons, or run lengths where it has holes."""
    images = []
    annotations = []
    for number, (name, read) in enumerate(labels.items(), start=1):
        label = read()
        _require_space(label, flat=True)
        pixels = label.to("YX").pixels
        height, width = pixels.shape
        about = {"id": number, "file_name": f"{name}.tif", "height": height, "width": width}
        images.append(about)
        annotations += _list_annotations(pixels, image=number, first=len(annotations) + 1)
    kinds = [{"id": 1, "name": "nucleus", "supercategory": "nucleus"}]
    document = {"images": images, "annotations": annotations, "categories": kinds}
    io.write_json(path, document)


def _list_annotations(pixels: np.ndarray, *, image: int, first: int) -> list[dict]:
    shapes: dict[int, list[list[np.ndarray]]] = {}
    for number, _, rings in trace_shapes(pixels):
        shapes.setdefault(number, []).append(rings)
    found = []
    for count, (number, parts) in enumerate(shapes.items()):
        mask = pixels == number
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        box = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
        holes = any(len(rings) > 1 for rings in parts)
        outlines = [(rings[0] + CENTRE).ravel().tolist() for rings in parts]
        found.append(
            {
                "id": first + count,
                "image_id": image,
                "category_id": 1,
                "iscrowd": 0,
                "area": int(mask.sum()),
                "bbox": box,
                "segmentation": _encode_runs(mask) if holes else outlines,
            }
        )
    return found


def _encode_runs(mask: np.ndarray) -> dict:
    """Lengths of runs of 0 and 1 in turn, down the columns, beginning with 0."""
    flat = np.concatenate([[False], mask.T.ravel(), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate([[0], edges, [mask.size]]))
    return {"size": list(mask.shape), "counts": counts.tolist()}


def _read_image(read: Callable[[], Image | Labels]) -> Image:
    found = read()
    return found.image if isinstance(found, Labels) else found


def _close(ring: np.ndarray) -> list[list[float]]:
    points = (ring + CENTRE).tolist()
    return [*points, points[0]]


def _require_space(label: Image, *, flat: bool = False) -> None:
    """Require a plane or a volume, or where `flat`, a plane."""
    if set(label.axes) - set("ZYX") or (flat and label.size("Z") > 1):
        raise UserError(
            "COCO holds labels of planes." if flat else "Outlines are of a plane or a volume.",
            f"axes {label.axes} of {label.name}",
            "Write NRRD or NIfTI, or one plane or time point at a time.",
        )


def _write_napari(path: Path, label: Image) -> None:
    """32 bit without sign: napari takes such files for labels, and others for images."""
    pixels = np.maximum(label.pixels[...], 0)  # it knows no pixels that nobody looked at
    io.write_image(path, label.replace(pixels=pixels), dtype=np.uint32, label=True)


LABEL_FORMATS: dict[str, tuple[str, Callable[[Path, Any], object]]] = {
    "rois": (".zip", _write_rois),
    "geojson": (".geojson", _write_geojson),
    "coco": (".json", _write_coco),
    "nrrd": (".nrrd", io.write_label),
    "nifti": (".nii.gz", io.write_label),
    "ome-zarr": (".ome.zarr", io.write_label),
    "cellpose": ("_cp_masks.tif", io.write_label),
    "napari": ("_labels.tif", _write_napari),
    "ply": ("", partial(write_surfaces, format="ply")),
    "stl": ("", partial(write_surfaces, format="stl")),
    "vtk": ("", partial(write_surfaces, format="vtk")),
}
FOLDERS = ("ome-zarr", "ply", "stl", "vtk")  # formats that need a folder per image
