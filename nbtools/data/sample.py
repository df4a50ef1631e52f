"""One image with its partners, and how images are read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.image import Image

PARTNERS = {
    "image": io.as_image,
    "label": io.as_label,
    "clean": io.as_image,
    "unpaired": io.as_image,
}  # how what is given becomes an image


@dataclass(frozen=True, eq=False)
class Sample:
    """An image and its partners.

    Parameters
    ----------
    name : of the image.
    image : of any axes; it and its partners may be arrays or paths, too: see `io.as_image`.
    label : instance labels, 0 background, of the shape of the image's spatial axes.
    clean : the low-noise partner, of the image's shape.
    class_name : class of the image as a whole.
    group : images of one group (a mosaic, an embryo, a patient) never lie in two parts of a split.
    classes : label → class of single nuclei; a label without a class is unknown, None means that
        no nucleus has a class.
    boxes : (n, 2 * ndim) edges of boxes around nuclei in pixels, columns y0, x0, y1, x1 and in 3D
        z0, z1: see `io.read_boxes`.
    box_classes : class of each box; () where no box has one.
    centres : (n, ndim) centres of nuclei in pixels, columns in the order of the image's spatial
        axes: see `io.read_centres`.
    centre_classes : class of each centre; () where no centre has one.
    lineage : track → the track that divided into it, of a movie whose labels number tracks; {}
        where none divides, None where labels are no tracks.
    unpaired : an image of another kind, of another field of view: what a translation learns from.
    """

    name: str
    image: Image
    label: Image | None = None
    clean: Image | None = None
    class_name: str | None = None
    group: str | None = None
    classes: dict[int, str] | None = None
    boxes: np.ndarray | None = None
    box_classes: tuple[str, ...] = ()
    centres: np.ndarray | None = None
    centre_classes: tuple[str, ...] = ()
    lineage: dict[int, int] | None = None
    unpaired: Image | None = None

    def __post_init__(self):
        for kind, convert in PARTNERS.items():
            given = getattr(self, kind)
            if given is not None and not isinstance(given, Image):
                object.__setattr__(self, kind, convert(given))

    def replace(self, **changes: object) -> Sample:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class InputOptions:
    """How images are read; each option wins over dataset.toml, which wins over the file.

    Parameters
    ----------
    axes : one letter per dimension of the files.
    channel : number from 0 or name of the channel to use; the axis C goes.
    time : number from 0 of the time point to use; "all" makes each an image of its own.
    series : number from 0 or name of the image to use, of files that hold several (positions,
        scenes); "all" makes each an image of its own.
    spacing : pixel size for each spatial axis, or one number for all, in `unit`.
    unit : "um", or "pixel" where only the ratio is known.
    level : of the images' pyramids, where TIFF or OME-Zarr hold such; 0 is the full resolution.
    """

    axes: str | None = None
    channel: int | str | None = None
    time: int | str | None = None
    spacing: tuple[float, ...] | None = None
    unit: str = "um"
    series: int | str | None = None
    level: int = 0

    @property
    def reads_whole_files(self) -> bool:
        """Whether no part or level of an image is chosen, so that files may be copied."""
        parts = (self.channel, self.time, self.series)
        return self.level == 0 and all(part is None for part in parts)


@dataclass(frozen=True, eq=False)
class Entry:
    """Where the parts of a sample are: in files, or in memory.

    Parameters
    ----------
    name : of the sample.
    files : kind ("images", "labels", "clean", "classes", "centres", "boxes", "unpaired") → path.
    class_name : class of the image as a whole.
    columns : other columns of the tables that name the image.
    part : "train", "val" or "test" in a folder that holds these.
    series : number of the image in its file, where each is an image of its own.
    frame : time point, where each time point of a movie is an image of its own.
    sample : the sample in memory; None for files.
    source : number of the data set it came from, where several are joined.
    """

    name: str
    files: dict[str, Path] = field(default_factory=dict)
    class_name: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    part: str = ""
    frame: int | None = None
    series: int | None = None
    sample: Sample | None = None
    source: int = 0
