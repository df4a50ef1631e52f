"""Surfaces of nuclei in volumes, for ParaView, 3D Slicer and Blender: one file per nucleus.

References
----------
Lewiner et al. 2003, doi:10.1080/10867651.2003.10487582 (marching cubes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.errors import UserError
from nbtools.image import Image

TRIANGLE = 5  # among the cells of VTK


def trace_surfaces(label: Image) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Trace the surface of each nucleus of a volume.

    Parameters
    ----------
    label : label image, axes ZYX.

    Returns
    -------
    Iterator of number, corners (N, 3) in the order x, y, z, in µm where the pixel size is known,
    else in pixels, counted from the centre of the first pixel; and triangles (M, 3) of numbers of
    corners, anticlockwise when they are seen from outside.

    Raises
    ------
    UserError : no volume.

    Examples
    --------
    >>> pixels = np.zeros((5, 5, 5), int)
    >>> pixels[1:4, 1:4, 1:4] = 7
    >>> (number, corners, triangles), = trace_surfaces(Image(pixels, "ZYX", (2, 1, 1)))
    >>> number, corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    (7, [0.5, 0.5, 1.0], [3.5, 3.5, 7.0])
    """
    from scipy.ndimage import find_objects
    from skimage.measure import marching_cubes

    if label.spatial != "ZYX" or "T" in label.axes:
        raise UserError(
            "Surfaces are of nuclei in one volume.",
            f"axes {label.axes} of {label.name}",
            "Write rois or geojson of planes; of a movie, one time point at a time.",
        )
    volume = label.to("ZYX").pixels
    spacing = np.array(label.spacing_um or (1.0, 1.0, 1.0))
    for number, box in enumerate(find_objects(np.maximum(volume, 0)), start=1):
        if box is None:
            continue
        mask = np.pad(volume[box] == number, 1).astype(np.float32)
        corners, triangles, *_ = marching_cubes(mask, 0.5, spacing=tuple(spacing))
        origin = (np.array([side.start for side in box]) - 1) * spacing
        places = (corners + origin)[:, ::-1]
        yield number, places.astype(np.float32), _turn_outwards(places, triangles)


def _turn_outwards(corners: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Triangles of a closed surface, anticlockwise when they are seen from outside."""
    a, b, c = (corners[triangles[:, place]] for place in range(3))
    volume = np.einsum("ij,ij->", a, np.cross(b, c)) / 6
    return triangles if volume > 0 else triangles[:, ::-1]


def _write_ply(path: Path, corners: np.ndarray, triangles: np.ndarray) -> None:
    head = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(corners)}",
        *(f"property float {axis}" for axis in "xyz"),
        f"element face {len(triangles)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    rows = np.empty(len(triangles), [("count", "u1"), ("corners", "<i4", 3)])
    rows["count"], rows["corners"] = 3, triangles
    text = ("\n".join(head) + "\n").encode()
    path.write_bytes(text + corners.astype("<f4").tobytes() + rows.tobytes())


def _write_stl(path: Path, corners: np.ndarray, triangles: np.ndarray) -> None:
    rows = np.zeros(len(triangles), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("", "<u2")])
    places = corners[triangles].astype(float)
    normal = np.cross(places[:, 1] - places[:, 0], places[:, 2] - places[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    rows["normal"], rows["corners"] = normal / np.maximum(length, 1e-12), places
    count = np.array(len(triangles), "<u4").tobytes()
    path.write_bytes(b"nbtools surface".ljust(80, b" ") + count + rows.tobytes())


def _write_vtk(path: Path, corners: np.ndarray, triangles: np.ndarray) -> None:
    """Legacy VTK, big-endian as the format asks."""
    count = len(triangles)
    rows = np.insert(triangles, 0, 3, axis=1).astype(">i4")
    head = "# vtk DataFile Version 3.0\nnbtools surface\nBINARY\nDATASET UNSTRUCTURED_GRID\n"
    points = f"POINTS {len(corners)} float\n".encode() + corners.astype(">f4").tobytes()
    cells = f"\nCELLS {count} {rows.size}\n".encode() + rows.tobytes()
    kinds = f"\nCELL_TYPES {count}\n".encode() + np.full(count, TRIANGLE, ">i4").tobytes()
    path.write_bytes(head.encode() + points + cells + kinds + b"\n")


WRITERS: dict[str, Callable[[Path, np.ndarray, np.ndarray], None]] = {
    "ply": _write_ply,
    "stl": _write_stl,
    "vtk": _write_vtk,
}


def write_surfaces(folder: Path, label: Image, *, format: str) -> list[Path]:
    """Write a file per nucleus of a volume.

    Parameters
    ----------
    folder : of the files nucleus-0001.ply and so on; is made.
    label : label image, axes ZYX.
    format : "ply", "stl" or "vtk".

    Returns
    -------
    Paths of the files.
    """
    files = []
    folder.mkdir(parents=True, exist_ok=True)
    for number, corners, triangles in trace_surfaces(label):
        files.append(folder / f"nucleus-{number:04d}.{format}")
        with io.atomic_write(files[-1]) as temporary:
            WRITERS[format](temporary, corners, triangles)
    return files
