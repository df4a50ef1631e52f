"""Read the files of samples when they are needed, and keep the most recent ones in memory.

Classes of single nuclei are in classes/NAME.csv, next to labels/NAME.tif: columns label and class,
one row per nucleus. A nucleus without a row, or of class 0 or unknown, has an unknown class.
(classes.csv, a file, holds the classes of whole images.)
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nbtools import io
from nbtools.data.calibration import join_spacing
from nbtools.data.classes import read_classes
from nbtools.data.parts import select_channel, take_pixels
from nbtools.data.sample import Entry, InputOptions, Sample
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io import units
from nbtools.io.points_and_boxes import read_centre_classes
from nbtools.io.series import choose_series, refuse_several

REMEMBERED_BYTES = 256 * 2**20
REMARKS = {
    "gaps": "Some pixels were never written, since no tile of the microscope lies there; they are "
    "0 here. Leave out nuclei that touch the gaps."
}


class Reader:
    """Reads samples; keeps up to 256 MB of those read last.

    Parameters
    ----------
    meta : content of dataset.toml.
    options : the user's options, which win over dataset.toml.
    """

    def __init__(self, meta: dict, options: InputOptions):
        self.options = complete_options(options, meta)
        self.channels = tuple(str(c) for c in meta.get("channels", ()))
        self._kept: OrderedDict[Entry, Sample] = OrderedDict()
        self._notes: dict[Entry, tuple[io.OutlineNote, ...]] = {}
        self._bytes = 0
        self._guesses: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def sample(self, entry: Entry) -> Sample:
        """The sample with all its partners.

        Parameters
        ----------
        entry : of the sample.

        Raises
        ------
        UserError : a file is missing, broken, or does not hold what it should.
        """
        with self._lock:
            if entry in self._kept:
                self._kept.move_to_end(entry)
                return self._kept[entry]
        image = self.image(entry)
        sample = replace(
            sample_of(entry, image),
            image=image,
            label=self.label(entry, image),
            clean=self.clean(entry, image),
            classes=self.classes(entry),
        )
        boxes, box_classes = self.boxes(entry, image)
        sample = replace(
            sample,
            boxes=boxes,
            box_classes=box_classes,
            centres=self.centres(entry, image),
            centre_classes=self.centre_classes(entry),
            lineage=self.lineage(entry),
            unpaired=self.unpaired(entry),
        )
        self._keep(entry, sample)
        return sample

    def balance(self, _entries: Sequence[Entry], weights: np.ndarray) -> np.ndarray:
        """(N,) how often samples are drawn: as the weights say, see `joined.JoinedReader`."""
        return weights

    def image(self, entry: Entry) -> Image:
        """The image alone, read with the options."""
        if entry.sample is not None:
            return take_pixels(entry.sample.image)
        path = entry.files["images"]
        found = io.require_single(self.unchecked_image(entry), path)
        self._guesses[entry.name] = found.guesses
        return io.require_finite(found.image, str(path))

    def remarks(self, entry: Entry) -> dict[str, str]:
        """What must be known of the pixels of an image that was read: code → sentence."""
        return {g: REMARKS[g] for g in self._guesses.get(entry.name, ()) if g in REMARKS}

    def unchecked_image(self, entry: Entry, *, stored: bool = False) -> io.UncheckedImage:
        """The image, read with the options, whatever its pixels hold.

        Parameters
        ----------
        entry : of the sample.
        stored : leave the pixels of a TIFF in its file.

        Raises
        ------
        UserError : the file holds no image, or its axes cannot be known.
        """
        if entry.sample is not None:
            return io.UncheckedImage(entry.sample.image)
        return self._open_image(entry, stored=stored)

    def header(self, entry: Entry) -> io.UncheckedImage:
        """The image with pixels that take no memory, where its format allows that."""
        if entry.sample is not None:
            return io.UncheckedImage(entry.sample.image)
        return self._open_image(entry, header_only=True)

    def stored_image(self, entry: Entry) -> Image:
        """The image with its pixels left in the file, to be read region by region.

        Parameters
        ----------
        entry : of the sample.

        Raises
        ------
        UserError : the format cannot be read so, or a pixel is NaN or infinite.
        """
        if entry.sample is not None:
            return entry.sample.image
        path = entry.files["images"]
        io.require_storable(path)
        found = io.require_single(self._open_image(entry, stored=True), path)
        self._guesses[entry.name] = found.guesses
        return io.require_finite(found.image, str(path))

    def _open_image(
        self, entry: Entry, *, header_only: bool = False, stored: bool = False
    ) -> io.UncheckedImage:
        reading = io.open_image(
            entry.files["images"],
            axes=self.options.axes,
            series=self._series(entry),
            header_only=header_only,
            stored=stored,
            level=self.options.level,
        )
        image, guesses = self.select(reading.image, entry), reading.guesses
        if self.options.spacing is not None:
            image = io.with_spacing(image, self.options.spacing, unit=self.options.unit)
            image = self._coarsen(image, entry)
            guesses = tuple(g for g in guesses if not g.startswith("z_step"))
        return io.UncheckedImage(image.replace(name=entry.name), guesses, reading.series)

    def _coarsen(self, image: Image, entry: Entry) -> Image:
        """The image with the pixel size of its level; that of the whole image was given."""
        if not self.options.level:
            return image
        about = {"axes": self.options.axes, "series": self._series(entry), "header_only": True}
        whole = self.select(io.open_image(entry.files["images"], **about).image, entry)
        factors = [whole.size(axis) / image.size(axis) for axis in image.spatial]
        sizes = zip(image.spacing, factors, strict=True)
        return image.replace(spacing=tuple(size * factor for size, factor in sizes))

    def count_frames(self, entry: Entry) -> int:
        """Number of time points in the file of an image."""
        found = io.open_image(
            entry.files["images"],
            axes=self.options.axes,
            series=self._series(entry),
            header_only=True,
            level=self.options.level,
        )
        return found.image.size("T")

    def label(self, entry: Entry, image: Image) -> Image | None:
        """The label image, with the spatial axes and the spacing of the image; None without one."""
        label = self.unchecked_label(entry, image)
        if label is None or entry.sample is not None:
            return label and take_pixels(label)
        return io.to_label(label, str(entry.files["labels"])).replace(name=entry.name)

    def unchecked_label(self, entry: Entry, image: Image, *, stored: bool = False) -> Image | None:
        """The label file, whatever it holds, with the image's axes where it has as many dimensions.

        Parameters
        ----------
        entry : of the sample.
        image : its image.
        stored : leave the pixels of a TIFF in its file; masks of single nuclei are not joined.

        Returns
        -------
        Image, or None without a label file.
        """
        if "labels" not in entry.files:
            return entry.sample and entry.sample.label
        path = entry.files["labels"]
        if path.is_dir() and not io.is_image(path):
            return self._read_folder(entry, image)
        if not io.is_image(path):
            return self._read_outlines(entry, image)
        label = self._open_label(entry, image, stored=stored)
        deeper = label.pixels.ndim == len(image.spatial) + 1
        if deeper and "T" not in image.axes and not stored:
            label = self._read_masks(entry, image, label)
        if label.axes in (image.spatial, "T" + image.spatial):
            label = label.replace(interval_s=image.interval_s)
            if self.options.spacing is not None:
                return label.replace(spacing=image.spacing, unit=image.unit)
        return join_spacing(label, image)[0]

    def stored_label(self, entry: Entry) -> Image:
        """The label image with its pixels left in the file, with the spacing that counts.

        Parameters
        ----------
        entry : of a sample with a label image.

        Raises
        ------
        UserError : the format cannot be read so.
        """
        image = self.header(entry).image
        path = entry.files["labels"]
        io.require_storable(path)
        label = io.read_label(path, axes=image.spatial, stored=True).replace(name=entry.name)
        return join_spacing(label, image)[0]

    def compare_spacing(self, entry: Entry, image: Image) -> str:
        """A sentence where the label file states another pixel size than the image, else "".

        Parameters
        ----------
        entry : of the sample.
        image : its image; the pixels do not count.

        Raises
        ------
        UserError : the label file cannot be read.
        """
        path = entry.files.get("labels")
        if path is None or self.options.spacing is not None or not io.is_image(path):
            return ""
        return join_spacing(self._open_label(entry, image, header_only=True), image)[1]

    def best_header(self, entry: Entry) -> io.UncheckedImage:
        """The header of the image, with the pixel size that counts where labels state one, too."""
        found = self.header(entry)
        path = entry.files.get("labels")
        image = found.image
        if path is None or self.options.spacing is not None or not io.is_image(path):
            return found
        label, _ = join_spacing(self._open_label(entry, image, header_only=True), image)
        if label.spatial == image.spatial and label.spacing != image.spacing:
            image = image.replace(spacing=label.spacing, unit=label.unit)
            return replace(found, image=image, guesses=())
        return found

    def _open_label(self, entry: Entry, image: Image, **how: bool) -> Image:
        # a file without names of axes has those of its movie
        movie = ("T" + image.spatial,) if self._count_frames(entry, image) > 1 else ()
        axes = (image.spatial, *movie)
        how |= {"palette": True}
        if self.options.level and not self._are_of_level(entry, image):
            how |= {"level": self.options.level}
        label = self._open_partner(entry, "labels", *axes, **how)
        time = self._time(entry)
        return label if time is None else label.select(T=time)

    def _are_of_level(self, entry: Entry, image: Image) -> bool:
        """Whether a label file without a pyramid was drawn on the level of the image."""
        label = self._open_partner(entry, "labels", image.spatial, header_only=True)
        return label.space_shape == image.space_shape

    def _open_partner(self, entry: Entry, kind: str, *axes: str | None, **how: bool) -> Image:
        """Open a partner with the first of the given axes that fit its dimensions, else its own.

        Of a file of several images, the one of the same number as in the image's file is taken.
        """
        path, number = entry.files[kind], self._series_number(entry)
        names = io.list_series(path)
        if names and number is None and not io.list_series(entry.files["images"]):
            raise refuse_several(path, names)
        how |= {"series": number} if names else {}
        for letters in axes:
            try:
                return io.open_image(path, axes=letters, **how).image
            except UserError:
                continue
        return io.open_image(path, **how).image

    def _series(self, entry: Entry) -> int | str | None:
        """The image that is wanted of a file of several; None where nobody said."""
        wanted = entry.series if entry.series is not None else self.options.series
        return None if wanted == "all" else wanted

    def _series_number(self, entry: Entry) -> int | None:
        """The number of the image in its file; None where nobody said."""
        wanted = self._series(entry)
        if wanted is None or isinstance(wanted, int):
            return wanted
        path = entry.files["images"]
        return choose_series(io.list_series(path), wanted, path=path)

    def _read_masks(self, entry: Entry, image: Image, label: Image) -> Image:
        """The label image of a stack of masks, one plane per nucleus; other labels as they are."""
        if self._time(entry) is not None or not io.are_masks(label.pixels, image.space_shape):
            return label
        return self._paint(entry, image, io.combine_masks(label.pixels))

    def _read_outlines(self, entry: Entry, image: Image) -> Image:
        """The label image of a file of outlines; of a movie, those of each of its time points."""
        frames: list[int] = []
        if self._count_frames(entry, image) > 1:
            time = self._time(entry)
            frames = list(range(image.size("T"))) if time is None else [time]
        path, name = entry.files["labels"], entry.files["images"]
        painted = io.read_outlines(path, image.space_shape, name=name, frames=frames)
        if frames and "T" not in image.axes:
            painted = replace(painted, label=painted.label[0])
        return self._paint(entry, image, painted)

    def _read_folder(self, entry: Entry, image: Image) -> Image:
        """The label image of a folder: ROIs, planes of a volume, or masks of one nucleus each."""
        folder = entry.files["labels"]
        files = io.list_planes(folder)
        if not files and any(p.suffix.lower() == ".roi" for p in folder.iterdir()):
            return self._paint(entry, image, io.read_outlines(folder, image.space_shape))
        if not files:
            raise UserError(
                "A folder of labels holds masks, planes or ROIs.",
                f"{folder} without any",
                "Put the label image itself into labels/, under the name of its image.",
            )
        masks = [io.open_image(path, palette=True).image for path in files]
        masks = [m.select(C=0) if m.is_rgb else m for m in masks]
        if len(masks) == 1 or len(image.spatial) == masks[0].pixels.ndim + 1:
            stack = np.stack([m.pixels for m in masks])
            pixels = stack[0] if len(masks) == 1 else stack
            return Image(pixels, image.spatial, image.spacing, image.unit, name=entry.name)
        return self._paint(entry, image, io.combine_masks(m.pixels for m in masks))

    def _paint(self, entry: Entry, image: Image, painted: io.PaintedLabel) -> Image:
        self._notes[entry] = painted.notes
        moving = painted.label.ndim > len(image.spatial)
        label = Image(
            painted.label,
            "T" * moving + image.spatial,
            image.spacing,
            image.unit,
            name=entry.name,
        )
        return label.replace(interval_s=image.interval_s) if moving else label

    def notes(self, entry: Entry) -> tuple[io.OutlineNote, ...]:
        """What had to be decided when the labels of a sample were last read."""
        return self._notes.get(entry, ())

    def unpaired(self, entry: Entry) -> Image | None:
        """An image of another kind that shows another field of view; None without one."""
        if "unpaired" not in entry.files:
            return entry.sample and entry.sample.unpaired
        reading = io.open_image(entry.files["unpaired"], axes=self.options.axes)
        return io.require_finite(reading.image, str(entry.files["unpaired"]))

    def lineage(self, entry: Entry) -> dict[int, int] | None:
        """Track → parent of a movie; None without a file."""
        if "tracks" not in entry.files:
            return entry.sample and entry.sample.lineage
        return io.read_lineage(entry.files["tracks"])

    def classes(self, entry: Entry) -> dict[int, str] | None:
        """Label → class of the nuclei; None without a table."""
        if "classes" not in entry.files:
            return entry.sample and entry.sample.classes
        return read_classes(entry.files["classes"])

    def boxes(self, entry: Entry, image: Image) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """Boxes of nuclei and their classes; None and () without a file."""
        if entry.sample is not None:
            return entry.sample.boxes, entry.sample.box_classes
        if "boxes" not in entry.files:
            return None, ()
        name, shape = entry.files["images"], image.space_shape
        return io.read_boxes(entry.files["boxes"], len(image.spatial), name=name, shape=shape)

    def centres(self, entry: Entry, image: Image) -> np.ndarray | None:
        """Centres of nuclei, from a table or an image of blobs.

        Parameters
        ----------
        entry : of the sample.
        image : its image.

        Returns
        -------
        (n, ndim) in pixels, or None without a file.
        """
        if "centres" not in entry.files:
            return entry.sample and entry.sample.centres
        path = entry.files["centres"]
        if not io.is_image(path):
            return io.read_centres(path, image.spatial)
        blobs = self._open_partner(entry, "centres", image.spatial, palette=True)
        return io.find_centres(io.to_label(blobs, str(path)).pixels)

    def centre_classes(self, entry: Entry) -> tuple[str, ...]:
        """Class of each centre; () where no centre has one, or in an image of blobs."""
        if "centres" not in entry.files:
            return entry.sample.centre_classes if entry.sample else ()
        path = entry.files["centres"]
        return read_centre_classes(path) if path.suffix.lower() == ".csv" else ()

    def clean(self, entry: Entry, image: Image) -> Image | None:
        """The low-noise partner; None without one."""
        clean = self.unchecked_clean(entry, image)
        return clean and io.require_finite(clean, entry.name).replace(name=entry.name)

    def unchecked_clean(self, entry: Entry, image: Image, *, stored: bool = False) -> Image | None:
        """The low-noise partner, whatever its pixels hold; None without one."""
        if "clean" not in entry.files:
            return entry.sample and entry.sample.clean
        clean = self._open_partner(entry, "clean", self.options.axes, stored=stored)
        if clean.shape == image.shape and clean.axes != image.axes:
            clean = clean.replace(axes=image.axes, spacing=None, channels=image.channels)
        clean = self.select(clean, entry)
        same = clean.axes == image.axes and image.spacing
        return clean.replace(spacing=image.spacing, unit=image.unit) if same else clean

    def select(self, image: Image, entry: Entry) -> Image:
        """The channel and the time point of the options."""
        if "C" in image.axes and len(self.channels) == image.size("C") and not image.is_rgb:
            image = image.replace(channels=self.channels)
        time = self._time(entry)
        if time and "T" not in image.axes:
            raise UserError(
                "A time point is chosen in a movie.",
                f"time {time} for {entry.name}, which has the axes {image.axes}",
                "Leave out the time; or name the axis T where the file does not: axes='TYX'.",
                command="Leave out --time; or name the axis T, where it has one: --axes TYX.",
            )
        image = image if time is None else image.select(T=time)
        channel = self.options.channel
        return image if channel is None else select_channel(image, channel)

    def _count_frames(self, entry: Entry, image: Image) -> int:
        """Time points of the file of an image, of which one may have been chosen."""
        if self._time(entry) is None:
            return image.size("T")
        return self.count_frames(entry)

    def _time(self, entry: Entry) -> int | None:
        time = entry.frame if entry.frame is not None else self.options.time
        return time if isinstance(time, int) else None

    def _keep(self, entry: Entry, sample: Sample) -> None:
        size = _bytes_of(sample)
        if entry.sample is not None or size > REMEMBERED_BYTES:
            return
        with self._lock:
            if entry in self._kept:
                return
            self._kept[entry] = sample
            self._bytes += size
            while self._bytes > REMEMBERED_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= _bytes_of(oldest)


def sample_of(entry: Entry, image: Image) -> Sample:
    """The sample without partners; in memory, the sample itself."""
    return entry.sample or Sample(
        entry.name, image, class_name=entry.class_name, group=entry.columns.get("group")
    )


def complete_options(options: InputOptions, meta: dict) -> InputOptions:
    """The options, completed with what dataset.toml says.

    Parameters
    ----------
    options : the user's options, which win.
    meta : content of dataset.toml.

    Raises
    ------
    UserError : spacing or unit in dataset.toml is not valid.

    Examples
    --------
    >>> complete_options(InputOptions(), {"axes": "YX", "spacing": 200, "unit": "nm"}).spacing
    (0.2,)
    """
    axes = options.axes or meta.get("axes")
    spacing = meta.get("spacing_um", meta.get("spacing"))
    if options.spacing is not None or spacing is None:
        return replace(options, axes=axes)
    unit = "um" if "spacing_um" in meta else str(meta.get("unit", "um"))
    values = spacing if isinstance(spacing, list) else [spacing]
    if not all(isinstance(v, int | float) and v > 0 for v in values):
        raise UserError(
            "spacing in dataset.toml must be positive numbers.",
            spacing,
            "Example: spacing_um = [0.5, 0.2, 0.2].",
        )
    scale = 1.0 if unit in units.PIXEL else units.um_per_unit(unit)
    if scale is None:
        raise UserError(
            "unit in dataset.toml must be a unit of length.",
            unit,
            'Use "um", or "pixel" where only the ratio is known.',
        )
    unit = "pixel" if unit in units.PIXEL else "um"
    return replace(options, axes=axes, spacing=tuple(float(v) * scale for v in values), unit=unit)


def _bytes_of(sample: Sample) -> int:
    return sum(i.pixels.nbytes for i in (sample.image, sample.label, sample.clean) if i is not None)
