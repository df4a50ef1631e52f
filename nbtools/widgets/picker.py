"""Choose a data set: samples, a folder, uploaded files or Google Drive."""

from __future__ import annotations

import shutil
import tempfile
from io import BytesIO
from pathlib import Path

import ipywidgets

from nbtools import config, documents, io, runtime
from nbtools.data import DataSet, sample_names
from nbtools.data import samples as open_samples
from nbtools.errors import UserError
from nbtools.widgets.common import (
    format_error,
    format_note,
    make_button,
    make_dropdown,
    make_html,
    read_uploads,
    show_only,
    with_class,
)
from nbtools.widgets.folders import FolderBrowser
from nbtools.widgets.input_options import InputOptionsForm

MOST_UPLOADED = 2**33  # bytes of an unpacked zip
WAYS = {
    "samples": "samples that come with the toolkit",
    "folder": "a folder on this machine",
    "upload": "files to upload",
    "drive": "Google Drive",
}


OWN = "NBTOOLS_IMAGES"  # environment variable: a folder that is chosen first


def pick_data(samples: str = "nuclei2d") -> DataPicker:
    """Make a picker of images; `.value` is the DataSet.

    Where the environment variable NBTOOLS_IMAGES names a folder, the images in it are chosen first:
    that is how a dashboard, whose cells nobody runs again, opens one's own.

    Parameters
    ----------
    samples : name of the sample set that is chosen first.

    Examples
    --------
    >>> pick_data().value  # doctest: +SKIP
    DataSet('nuclei2d', 1 images with labels)
    """
    return DataPicker(samples)


class DataPicker(ipywidgets.VBox):
    """The widget of `pick_data`; a line describes the chosen images.

    `way` is the list of sources, `samples` that of sample sets, `browser` the folder browser,
    `images` and `labels` the upload buttons, `options` the fields of axes, channel, time and pixel
    size.
    """

    def __init__(self, samples: str):
        names = sample_names()
        if samples not in names:
            raise UserError(
                "A sample set must be one that is shipped.",
                repr(samples),
                f"Use one of: {', '.join(names) or 'none'}.",
            )
        ways = [(text, way) for way, text in WAYS.items() if way != "drive" or runtime.is_colab()]
        self.way = make_dropdown("Images from", ways, name="nb-pick-way")
        self.samples = make_dropdown("Samples", names, name="nb-pick-samples", value=samples)
        own = config.environment(OWN)
        self.browser = FolderBrowser(own or config.environment("NBTOOLS_DATA") or Path.cwd())
        if own:
            self.way.value = "folder"
        self.images = _make_upload("Images", "nb-pick-images")
        self.labels = _make_upload("Labels (optional)", "nb-pick-labels")
        self.connect = make_button("Connect Google Drive", "nb-pick-drive", icon="link")
        self.drive = ipywidgets.VBox([self.connect])
        self.status = make_html("nb-pick-status")
        self.options = InputOptionsForm()
        uploads = ipywidgets.HBox([self.images, self.labels])
        self.panels = {
            "samples": self.samples,
            "folder": self.browser,
            "upload": uploads,
            "drive": self.drive,
        }
        self._dataset: DataSet | None = None
        super().__init__([self.way, *self.panels.values(), self.status, self.options])
        self.add_class("nb-pick")
        self._connect()
        self._update()

    @property
    def value(self) -> DataSet:
        """The chosen images, opened lazily; UserError where nothing usable is chosen yet."""
        if self._dataset is None:
            dataset = self._open()
            if not len(dataset):
                raise UserError(
                    "There must be images to work with.",
                    f"none in {dataset.folder or dataset.name}",
                    "Choose the folder that holds them, or their folder images/.",
                )
            self._dataset = dataset
        return self._dataset

    def _connect(self) -> None:
        for widget in (self.way, self.samples, self.images, self.labels):
            widget.observe(lambda _: self._update(), "value")
        self.browser.on_change(self._update)
        self.options.on_change(self._read_images)
        self.connect.on_click(lambda _: self._connect_drive())

    def _update(self) -> None:
        """Other images were chosen."""
        show_only(self.panels, self.way.value)
        self.options.layout.display = "none" if self.way.value == "samples" else ""
        self.options.reset()
        self._read_images()

    def _read_images(self) -> None:
        """Read the images with the current options."""
        self._dataset = None
        try:
            self.options.inspect(self.value)
            self.status.value = format_note(describe(self.value))
        except UserError as error:
            self.status.value = format_error(error)

    def _open(self) -> DataSet:
        if self.way.value == "samples":
            return open_samples(self.samples.value)
        if self.way.value == "upload":
            folder = save_uploads(read_uploads(self.images.value), read_uploads(self.labels.value))
            return DataSet.open(folder, options=self.options.value)
        if self.way.value == "drive" and len(self.drive.children) == 1:
            raise UserError(
                "Google Drive must be connected first.",
                "not connected",
                "Press the button and allow the access.",
            )
        browser = self.browser if self.way.value == "folder" else self.drive.children[-1]
        return DataSet.open(browser.folder, options=self.options.value)

    def _connect_drive(self) -> None:
        try:
            browser = FolderBrowser(runtime.mount_drive())
        except UserError as error:
            self.status.value = format_error(error)
            return
        browser.on_change(self._update)
        self.drive.children = [self.connect, browser]
        self._update()


def describe(dataset: DataSet) -> str:
    """Describe a data set in one line; the first image is read."""
    kinds = [
        kind for kind in ("labels", "clean", "classes", "centres", "boxes") if dataset.has(kind)
    ]
    first = dataset.image(0)
    size = " x ".join(f"{first.size(axis)}" for axis in first.axes)
    spacing = (
        f", pixel size {' x '.join(f'{s:g}' for s in first.spacing_um)} µm"
        if first.spacing_um
        else ", pixel size unknown"
    )
    count = f"{len(dataset)} image{'' if len(dataset) == 1 else 's'}"
    partners = f" with {' and '.join(kinds)}" if kinds else " without labels"
    return f"{count}{partners}; the first: {first.axes} {size} px{spacing}."


def save_uploads(images: dict[str, bytes], labels: dict[str, bytes]) -> Path:
    """Save uploaded files as a data set in a new temporary folder; a zip is unpacked.

    Parameters
    ----------
    images, labels : file name to content.

    Raises
    ------
    UserError : no images; a zip that cannot be read.
    """
    if not images:
        raise UserError(
            "There must be images to work with.",
            "none uploaded yet",
            "Press the button and choose image files, or a zip of a data set.",
        )
    for name in (name for name in (*images, *labels) if not documents.is_plain_name(name)):
        raise UserError(
            "An uploaded file has a plain name.", repr(name)[:80], "Rename it, and upload it again."
        )
    folder = Path(tempfile.mkdtemp(prefix="nbtools_upload_"))
    try:
        return _save(images, labels, folder=folder)
    except UserError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _save(images: dict[str, bytes], labels: dict[str, bytes], *, folder: Path) -> Path:
    archives = [name for name in images if name.lower().endswith(".zip")]
    if archives:
        return _unpack(images[archives[0]], folder, archives[0])
    for kind, files in (("images", images), ("labels", labels)):
        for name, content in files.items():
            with io.atomic_write(folder / kind / name) as temporary:
                temporary.write_bytes(content)
    return folder


def _unpack(content: bytes, folder: Path, name: str) -> Path:
    io.unpack(BytesIO(content), folder, name=name, most=MOST_UPLOADED)
    inside = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))]
    return inside[0] if len(inside) == 1 and inside[0].name not in ("images", "labels") else folder


def _make_upload(text: str, css: str) -> ipywidgets.FileUpload:
    return with_class(
        ipywidgets.FileUpload(description=text, multiple=True, layout={"width": "220px"}), css
    )
