"""Points and boxes as files of other programs: Fiji, QuPath, TrackMate, napari, COCO.

Programs count from different places. The centre of the first pixel is (0, 0) here, in napari and in
TrackMate; in Fiji, QuPath and COCO it is (0.5, 0.5), and (0, 0) is the corner of the image. Edges
of boxes are corners of pixels here, too: a half-open box [0, 1) is the first pixel everywhere.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtools import io
from nbtools.errors import UserError, require_choice
from nbtools.export.several import in_one_file, write_each
from nbtools.metrics.boxes import split_edges
from nbtools.results import Boxes, Points

if TYPE_CHECKING:
    from roifile import ImagejRoi

Marks = Points | Boxes
CORNER = 0.5  # from the centre of a pixel to where Fiji, QuPath and COCO begin to count
RADIUS = 5.0  # of a spot in pixels, where nothing tells its size
NUCLEUS = "nucleus"


def write_marks(
    found: Mapping[str, Callable[[], Marks]], path: str | Path, *, format: str
) -> list[Path]:
    """Write points or boxes for another program.

    Parameters
    ----------
    found : name → function that gives the points or boxes of an image.
    path : of the file, where the format holds all images in one (COCO) or there is one image; else
        of the folder of the files.
    format : "rois" (Fiji: a multi-point, or rectangles), "geojson" (QuPath), "trackmate", "napari"
        or, of boxes, "coco".

    Returns
    -------
    Paths of the files.

    Raises
    ------
    UserError : an unknown format, or one that cannot hold these marks.
    """
    require_choice(format, MARK_FORMATS, rule="Points and boxes are exported in a known format.")
    suffix, write = MARK_FORMATS[format]
    return write_each(found, Path(path), suffix=suffix, write=write)


def write_mark_rois(path: str | Path, found: Marks) -> int:
    """Write points as one multi-point ROI, and boxes as rectangles, for the ROI Manager of Fiji.

    In a volume each point lies in its slice, and each box in its middle slice; in a movie in its
    frame, of volumes with a multi-point per slice.

    Parameters
    ----------
    path : of the zip; written whole or not at all. Without a point or box it holds nothing.
    found : points or boxes.

    Returns
    -------
    Number of points or boxes.

    Examples
    --------
    >>> import tempfile
    >>> from nbtools.results import Grid
    >>> places = Points(np.array([[3.0, 4.0], [8.0, 1.0]]), Grid("YX", (9, 9)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_mark_rois(Path(folder) / "points.zip", places)
    2
    """
    make = _make_rectangles if isinstance(found, Boxes) else _make_multi_points
    with io.atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for roi in make(found):
            archive.writestr(f"{roi.name}.roi", roi.tobytes())
    return len(found)


def _make_multi_points(found: Points) -> Iterator[ImagejRoi]:
    """One multi-point ROI; one per frame of a movie, and of a movie of volumes per slice.

    The slices of single points count through the whole stack, so that those of a second frame
    would lie in the first.
    """
    for frame, inside in _split_frames(found):
        places = inside.coordinates
        if not len(places):
            continue
        name = "nuclei" if frame is None else f"nuclei-t{frame + 1:03d}"
        if frame is None or places.shape[1] == 2:
            roi = _make_points(places, name)
            _set_place(roi, z=None, frame=frame)
            yield roi
            continue
        slices = np.maximum(np.rint(places[:, 0]), 0).astype(int)
        for z in np.unique(slices).tolist():
            roi = _make_points(places[slices == z][:, 1:], f"{name}-z{z + 1:03d}")
            _set_place(roi, z=z, frame=frame)
            yield roi


def _make_points(places: np.ndarray, name: str) -> ImagejRoi:
    """A multi-point ROI of places (N, D) in pixels; in a volume each has its slice."""
    from roifile import ROI_TYPE, ImagejRoi

    roi = ImagejRoi.frompoints((places[:, :-3:-1] + CORNER).astype(np.float32), name=name)
    roi.roitype = ROI_TYPE.POINT
    if places.shape[1] == 3:
        roi.counters = np.zeros(len(places), np.uint32)
        roi.counter_positions = np.maximum(np.rint(places[:, 0]), 0).astype(np.uint32) + 1
    return roi


def _make_rectangles(found: Boxes) -> Iterator[ImagejRoi]:
    from roifile import ROI_TYPE, ImagejRoi

    low, high = split_edges(found.edges)
    frames = [None] * len(low) if found.frame is None else np.asarray(found.frame).tolist()
    for number, (near, far, frame) in enumerate(zip(low, high, frames, strict=True), start=1):
        roi = ImagejRoi()
        roi.roitype, roi.name = ROI_TYPE.RECT, f"{NUCLEUS}-{number:04d}"
        top, left = np.floor(near[-2:] + 0.5).astype(int).tolist()
        bottom, right = np.floor(far[-2:] + 0.5).astype(int).tolist()
        roi.top, roi.left, roi.bottom, roi.right = top, left, bottom, right
        z = int((near[0] + far[0]) // 2) if len(near) == 3 else None
        _set_place(roi, z=z, frame=frame)
        yield roi


def _set_place(roi: ImagejRoi, *, z: int | None, frame: int | None) -> None:
    """The slice and the frame of a ROI, which Fiji counts from 1."""
    if z is not None and frame is None:
        roi.position = z + 1
    if frame is not None:
        # a hyperstack finds a place by these
        roi.c_position, roi.z_position, roi.t_position = 1, (z or 0) + 1, frame + 1


def _split_frames(found: Marks) -> Iterator[tuple[int | None, Marks]]:
    if found.frame is None:
        yield None, found
        return
    for frame in np.unique(found.frame).tolist():
        yield frame, found.of_frame(frame)


def _write_rois(path: Path, found: Marks) -> None:
    write_mark_rois(path, found)


def _write_geojson(path: Path, found: Marks) -> None:
    """Detections of QuPath: points, or rectangles."""
    features = []
    for number, (geometry, z) in enumerate(_list_geometries(found)):
        frame = 0 if found.frame is None else int(found.frame[number])
        if z is not None or found.frame is not None:
            geometry["plane"] = {"c": -1, "z": z or 0, "t": frame}
        about = {"objectType": "detection", "name": f"{NUCLEUS}-{number + 1:04d}"}
        if found.classes:
            about["classification"] = {"name": found.classes[number]}
        if found.score is not None:
            about["measurements"] = {"score": float(found.score[number])}
        features.append({"type": "Feature", "geometry": geometry, "properties": about})
    io.write_json(path, {"type": "FeatureCollection", "features": features})


def _list_geometries(found: Marks) -> Iterator[tuple[dict, int | None]]:
    """The geometry of each mark in the plane, and its slice; None where there are no slices."""
    if isinstance(found, Points):
        for place in found.coordinates:
            y, x = (place[-2:] + CORNER).tolist()
            z = int(np.rint(place[0])) if len(place) == 3 else None
            yield {"type": "Point", "coordinates": [x, y]}, z
        return
    for near, far in zip(*split_edges(found.edges), strict=True):
        (y0, x0), (y1, x1) = near[-2:].tolist(), far[-2:].tolist()
        ring = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
        z = int((near[0] + far[0]) // 2) if len(near) == 3 else None
        yield {"type": "Polygon", "coordinates": [ring]}, z


def _write_trackmate(path: Path, found: Marks) -> None:
    """Spots of TrackMate, in µm where the pixel size is known; frames are its unit of time."""
    grid = found.grid
    size = grid.spacing_um or (1.0,) * len(grid.axes)
    places, radius = _measure_spots(found, size)
    count = len(places)
    spots = io.Spots(
        places,
        radius,
        frame=np.zeros(count, int) if found.frame is None else np.asarray(found.frame, int),
        names=[f"{NUCLEUS}-{number + 1:04d}" for number in range(count)],
        quality=np.ones(count) if found.score is None else np.asarray(found.score, float),
        unit="µm" if grid.spacing_um else "pixel",
    )
    io.write_trackmate(path, spots, image=io.SpotImage(grid.name, grid.shape, size))


def _measure_spots(found: Marks, size: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, D) and radii (N,) of the spots, in the unit of the pixel size."""
    scale = np.asarray(size)
    if isinstance(found, Points):
        return found.coordinates * scale, np.full(len(found), RADIUS * scale[-1])
    near, far = (edges * scale for edges in split_edges(found.edges))
    middle = (near + far - scale) / 2  # edges are corners of pixels, spots count from centres
    return middle, (far - near)[:, -2:].mean(axis=1) / 2


def _write_napari(path: Path, found: Marks) -> None:
    """A table of a points or a shapes layer, in pixels."""
    lead = {} if found.frame is None else {"axis-0": np.asarray(found.frame, float)}
    first = len(lead)
    if isinstance(found, Points):
        columns = {"index": np.arange(len(found))} | lead
        for number, values in enumerate(found.coordinates.T, start=first):
            columns[f"axis-{number}"] = values
        io.write_csv(path, columns)
        return
    io.write_csv(path, list(_list_corners(found)), columns=_name_shape_columns(found))


def _name_shape_columns(found: Boxes) -> list[str]:
    count = found.edges.shape[1] // 2 + (found.frame is not None)
    return ["index", "shape-type", "vertex-index", *(f"axis-{n}" for n in range(count))]


def _list_corners(found: Boxes) -> Iterator[dict]:
    """Four corners of each box, counted from centres of pixels; of a volume in its middle slice."""
    columns = _name_shape_columns(found)[3:]
    for index, (near, far) in enumerate(zip(*split_edges(found.edges), strict=True)):
        lead = [] if found.frame is None else [float(found.frame[index])]
        lead += [float((near[0] + far[0]) // 2)] if len(near) == 3 else []
        (y0, x0), (y1, x1) = near[-2:] - CORNER, far[-2:] - CORNER
        for vertex, corner in enumerate(((y0, x0), (y0, x1), (y1, x1), (y1, x0))):
            about = {"index": index, "shape-type": "rectangle", "vertex-index": vertex}
            yield about | dict(zip(columns, [*lead, *map(float, corner)], strict=True))


@in_one_file
def _write_coco(path: Path, found: Mapping[str, Callable[[], Marks]]) -> None:
    """One annotation per box: x, y, width and height from the corner of the image."""
    images, annotations, kinds = [], [], {}
    for number, (name, read) in enumerate(found.items(), start=1):
        one = read()
        if not isinstance(one, Boxes) or one.edges.shape[1] != 4 or one.frame is not None:
            raise UserError(
                "COCO holds boxes in planes.",
                f"{'boxes' if isinstance(one, Boxes) else 'points'} of {name}",
                "Choose another format: rois, geojson, trackmate or napari.",
            )
        images.append({"id": number, "file_name": f"{name}.tif"} | _describe_plane(one))
        annotations += _list_boxes(one, image=number, first=len(annotations) + 1, kinds=kinds)
    categories = [{"id": number, "name": name} for name, number in kinds.items()]
    document = {"images": images, "annotations": annotations, "categories": categories}
    io.write_json(path, document)


def _describe_plane(found: Boxes) -> dict[str, int]:
    """Height and width of the image, where they are known."""
    return dict(zip(("height", "width"), map(int, found.grid.shape[-2:]), strict=False))


def _list_boxes(found: Boxes, *, image: int, first: int, kinds: dict[str, int]) -> Iterator[dict]:
    """Annotations of COCO; names of classes get their number in `kinds`."""
    for number, (y0, x0, y1, x1) in enumerate(found.edges.tolist()):
        kind = found.classes[number] if found.classes else NUCLEUS
        one = {
            "id": first + number,
            "image_id": image,
            "category_id": kinds.setdefault(kind, len(kinds) + 1),
            "iscrowd": 0,
            "area": (y1 - y0) * (x1 - x0),
            "bbox": [x0, y0, x1 - x0, y1 - y0],
        }
        yield one if found.score is None else one | {"score": float(found.score[number])}


MARK_FORMATS: dict[str, tuple[str, Callable[[Path, Any], None]]] = {
    "rois": (".zip", _write_rois),
    "geojson": (".geojson", _write_geojson),
    "trackmate": (".xml", _write_trackmate),
    "napari": (".csv", _write_napari),
    "coco": (".json", _write_coco),
}
